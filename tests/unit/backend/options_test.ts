import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseBackendOptions } from "../../../backend/options.ts";
import { ControllerError } from "../../../lib/util/errors.ts";

Deno.test("parseBackendOptions() has a default for every variable", () => {
  assertEquals(parseBackendOptions({}, "web1"), {
    etcd: {
      endpoints: ["http://127.0.0.1:2379"],
      cacert: undefined,
      cert: undefined,
      key: undefined,
      user: undefined,
      passwordFile: undefined,
      password: undefined,
      servicesPrefix: "/services/",
      settingsPrefix: "/haproxy/settings/",
      nodesPrefix: "/haproxy/nodes/",
    },
    register: {
      service: "backend",
      id: "web1-8080",
      host: undefined,
      port: 8080,
      entry: { weight: undefined, maxconn: undefined, meta: undefined },
      check: undefined,
      leaseTtlSeconds: 10,
      drainTimeoutMs: 10_000,
      stopTimeoutMs: 10_000,
    },
    name: "web1",
  });
});

Deno.test("parseBackendOptions() takes every variable", () => {
  const env = {
    ETCD_ENDPOINTS: "https://etcd1:2379, https://[::1]:2379/",
    ETCD_CACERT: "/etc/etcd/ca.pem",
    ETCD_CERT: "/etc/etcd/client.pem",
    ETCD_KEY: "/etc/etcd/client.key",
    ETCD_USER: "backend-api",
    ETCD_PASSWORD_FILE: "/run/secrets/etcd",
    SERVICES_PREFIX: "/demo/",
    SETTINGS_PREFIX: "/demo-settings/",
    NODES_PREFIX: "/demo-nodes/",
    SERVICE_NAME: "api",
    SERVICE_PORT: "9000",
    SERVICE_ID: "one",
    SERVICE_ADDRESS: "[2001:DB8::0:5]",
    SERVICE_WEIGHT: "50",
    SERVICE_MAXCONN: "7",
    SERVICE_CHECK: "tcp",
    BACKEND_NAME: "api-a",
    LEASE_TTL: "3",
    DRAIN_TIMEOUT_MS: "2s",
    STOP_TIMEOUT_MS: "1m",
  };
  assertEquals(parseBackendOptions(env, "web1"), {
    etcd: {
      endpoints: ["https://etcd1:2379", "https://[::1]:2379"],
      cacert: "/etc/etcd/ca.pem",
      cert: "/etc/etcd/client.pem",
      key: "/etc/etcd/client.key",
      user: "backend-api",
      passwordFile: "/run/secrets/etcd",
      password: undefined,
      servicesPrefix: "/demo/",
      settingsPrefix: "/demo-settings/",
      nodesPrefix: "/demo-nodes/",
    },
    register: {
      service: "api",
      id: "one",
      host: { kind: "ipv6", text: "2001:db8::5" },
      port: 9000,
      entry: { weight: 50, maxconn: 7, meta: undefined },
      check: undefined,
      leaseTtlSeconds: 3,
      drainTimeoutMs: 2_000,
      stopTimeoutMs: 60_000,
    },
    name: "api-a",
  });
});

Deno.test("parseBackendOptions() takes an empty variable for an absent one", () => {
  const env = { ETCD_ENDPOINTS: "", ETCD_USER: "", SERVICE_PORT: "", SERVICE_ADDRESS: "", BACKEND_NAME: "" };
  assertEquals(parseBackendOptions(env, "web1"), parseBackendOptions({}, "web1"));
});

const WRONG: Record<string, readonly string[]> = {
  ETCD_ENDPOINTS: [
    ",",
    "http://etcd1",
    "ftp://etcd1:21",
    "http://u:p@etcd1:2379",
    "http://a:1,https://b:2",
  ],
  ETCD_USER: ["name:password"],
  ETCD_CERT: ["/etc/etcd/client.pem"],
  SERVICES_PREFIX: ["/services"],
  NODES_PREFIX: ["/haproxy/nodes", "/services/nodes/"],
  DRAIN_TIMEOUT_MS: ["-1", "soon", "1h", "1.5s"],
  SERVICE_PORT: ["0", "65536", "-1", "80.5", "0x50", "http", " 80"],
  SERVICE_ADDRESS: ["10.0.0.5:80", "0.0.0.0", "::", "127.1", "224.0.0.1", "a_b c"],
  SERVICE_WEIGHT: ["257"],
  BACKEND_NAME: ["a\r\nb", "käse"],
  LEASE_TTL: ["0", "10s", "1.5", "86401"],
};

for (const [variable, values] of Object.entries(WRONG)) {
  Deno.test(`parseBackendOptions() refuses a ${variable} that cannot be used, and names it`, () => {
    for (const value of values) {
      const error = assertThrows(() => parseBackendOptions({ [variable]: value }, "web1"), ControllerError);
      assertEquals(error.kind, "usage");
      assertStringIncludes(error.message, variable);
    }
  });
}

Deno.test("parseBackendOptions() refuses a SERVICE_NAME that no node would accept", () => {
  for (const name of ["a/b", "a b", "x".repeat(129)]) {
    assertThrows(
      () => parseBackendOptions({ SERVICE_NAME: name }, "web1"),
      ControllerError,
      "Cannot register",
    );
  }
});
