import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ControllerError } from "../../../lib/util/errors.ts";
import type { RawValue } from "../../../lib/util/flag.ts";
import { readRegisterOptions } from "../../../lib/register/options.ts";

type Given = Readonly<Record<string, RawValue>>;

function read(flags: Given) {
  return readRegisterOptions({ flags: { service: "api", port: "8080", ...flags }, env: {} }, "web1");
}

Deno.test("readRegisterOptions() needs service and port alone", () => {
  assertEquals(read({}), {
    service: "api",
    id: "web1-8080",
    host: undefined,
    port: 8080,
    entry: { weight: undefined, maxconn: undefined, meta: undefined },
    check: undefined,
    leaseTtlSeconds: 10,
    drainTimeoutMs: 10_000,
    stopTimeoutMs: 10_000,
  });
});

Deno.test("readRegisterOptions() takes every flag", () => {
  const options = read({
    id: "a",
    address: "2001:DB8::5",
    weight: "0",
    maxconn: "50",
    meta: ["zone=a", "note=x=y"],
    check: "http://127.0.0.1:8081/healthz?deep=1",
    "check-interval": "500ms",
    rise: "1",
    fall: "5",
    "lease-ttl": "3",
    "drain-timeout": "1m",
    "stop-timeout": "0",
  });
  assertEquals(options, {
    service: "api",
    id: "a",
    host: { kind: "ipv6", text: "2001:db8::5" },
    port: 8080,
    entry: { weight: 0, maxconn: 50, meta: { zone: "a", note: "x=y" } },
    check: {
      target: { host: "127.0.0.1", port: 8081, path: "/healthz?deep=1" },
      intervalMs: 500,
      rise: 1,
      fall: 5,
    },
    leaseTtlSeconds: 3,
    drainTimeoutMs: 60_000,
    stopTimeoutMs: 0,
  });
});

Deno.test("readRegisterOptions() reads what to check", () => {
  const targets = ["tcp", "tcp://[::1]:5432", "http://localhost", "http://[::1]:81/a b"];
  assertEquals(targets.map((check) => read({ check }).check?.target), [
    { host: "127.0.0.1", port: 8080, path: undefined },
    { host: "::1", port: 5432, path: undefined },
    { host: "localhost", port: 80, path: "/" },
    { host: "::1", port: 81, path: "/a%20b" },
  ]);
});

const REFUSED: readonly (readonly [raw: Given, says: string])[] = [
  [{ service: "" }, "--service is empty"],
  [{ service: undefined }, "--service is missing"],
  [{ service: "a/b" }, 'Cannot register "a/b/web1-8080": key is not'],
  [{ service: "a b" }, "service is not 1 to 128"],
  [{ id: "x".repeat(129) }, "id is not 1 to 128"],
  [{ port: undefined }, "--port is missing"],
  [{ port: "0" }, "--port is not an integer from 1 to 65535"],
  [{ port: "http" }, "--port is not an integer"],
  [
    { address: "10.0.0.5:80" },
    "--address takes no port, because the port has a setting of its own: 10.0.0.5:80",
  ],
  [{ address: "[2001:db8::5]:80" }, "--address takes no port"],
  [{ address: "web:" }, "--address takes no port"],
  [{ address: "2001:db8:::5" }, "--address is not a host without a port: IPv6 address cannot be read"],
  [{ address: "0.0.0.0" }, "--address"],
  [{ weight: "257" }, "--weight is not an integer from 0 to 256"],
  [{ maxconn: "-1" }, "--maxconn is not an integer"],
  [{ meta: ["zone"] }, "--meta is not name=value: zone"],
  [{ meta: [`x=${"y".repeat(70_000)}`] }, "value has more than 65536 bytes"],
  [{ check: "https://x/" }, "--check is not http://host:port/path"],
  [{ check: "tcp://x" }, "--check is not"],
  [{ check: "http://u:p@x/" }, "--check is not"],
  [{ check: "tcp", rise: "0" }, "--rise is not an integer"],
  [{ check: "tcp", "check-interval": "0" }, "--check-interval is out of range"],
  [{ "lease-ttl": "10s" }, "--lease-ttl is not an integer from 1 to 86400: 10s"],
  [{ "drain-timeout": "soon" }, "--drain-timeout is not a time"],
];

for (const [raw, says] of REFUSED) {
  Deno.test(`readRegisterOptions() refuses ${JSON.stringify(raw).slice(0, 60)}`, () => {
    const error = assertThrows(() => read(raw), ControllerError);
    assertEquals(error.kind, "usage");
    assertStringIncludes(error.message, says);
  });
}
