import { assertEquals, assertThrows } from "@std/assert";
import { parseBackendOptions } from "../../../backend/options.ts";
import { ControllerError } from "../../../lib/errors.ts";

Deno.test("parseBackendOptions() has a default for every variable", () => {
  assertEquals(parseBackendOptions({}, "web1"), {
    endpoints: ["http://127.0.0.1:2379"],
    servicesPrefix: "/services/",
    nodesPrefix: "/haproxy/nodes/",
    service: "backend",
    id: "web1-8080",
    name: "web1",
    port: 8080,
    host: undefined,
    leaseTtlSeconds: 10,
    drainTimeoutMs: 10_000,
  });
});

Deno.test("parseBackendOptions() takes every variable", () => {
  const env = {
    ETCD_ENDPOINTS: "https://etcd1:2379, https://[::1]:2379/",
    SERVICES_PREFIX: "/demo/",
    SERVICE_NAME: "api",
    SERVICE_PORT: "9000",
    SERVICE_ADDRESS: "[2001:DB8::0:5]",
    BACKEND_NAME: "api-a",
    LEASE_TTL: "3",
    NODES_PREFIX: "/demo-nodes/",
    DRAIN_TIMEOUT_MS: "2s",
  };
  assertEquals(parseBackendOptions(env, "web1"), {
    endpoints: ["https://etcd1:2379", "https://[::1]:2379"],
    servicesPrefix: "/demo/",
    nodesPrefix: "/demo-nodes/",
    service: "api",
    id: "web1-9000",
    name: "api-a",
    port: 9000,
    host: { kind: "ipv6", text: "2001:db8::5" },
    leaseTtlSeconds: 3,
    drainTimeoutMs: 2_000,
  });
});

Deno.test("parseBackendOptions() takes an empty variable for an absent one", () => {
  const env = { ETCD_ENDPOINTS: "", SERVICE_PORT: "", SERVICE_ADDRESS: "", BACKEND_NAME: "" };
  assertEquals(parseBackendOptions(env, "web1"), parseBackendOptions({}, "web1"));
});

const WRONG: Record<string, readonly string[]> = {
  ETCD_ENDPOINTS: [
    ",",
    "127.0.0.1:2379",
    "http://etcd1",
    "ftp://etcd1:21",
    "http://u:p@etcd1:2379",
    "http://a:1,b:2",
    "http://a:1,https://b:2",
  ],
  SERVICES_PREFIX: ["/services"],
  NODES_PREFIX: ["/haproxy/nodes"],
  DRAIN_TIMEOUT_MS: ["-1", "soon", "1h", "1.5s"],
  SERVICE_NAME: ["a/b", "a b", "x".repeat(129)],
  SERVICE_PORT: ["0", "65536", "-1", "80.5", "0x50", "http", " 80"],
  SERVICE_ADDRESS: ["10.0.0.5:80", "0.0.0.0", "::", "127.1", "224.0.0.1", "a_b c"],
  BACKEND_NAME: ["a\r\nb", "käse"],
  LEASE_TTL: ["0", "10s", "1.5", "86401"],
};

for (const [variable, values] of Object.entries(WRONG)) {
  Deno.test(`parseBackendOptions() refuses a ${variable} that cannot be used, on one line`, () => {
    for (const value of values) {
      const error = assertThrows(
        () => parseBackendOptions({ [variable]: value }, "web1"),
        ControllerError,
        `Cannot use ${variable} ${JSON.stringify(value)}: it must be `,
      );
      assertEquals([error.kind, error.message.includes("\n")], ["usage", false]);
    }
  });
}
