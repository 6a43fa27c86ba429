import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  MAX_VALUE_BYTES,
  type Override,
  parseEntry,
  parseOverride,
  type Server,
} from "../../../lib/registry/entry.ts";
import { anyKey, anyValue } from "../arbitraries.ts";
import { OVERRIDES, raw, rejectionOf, serverOf, SERVICES } from "../fixtures.ts";

const plain = { address: "10.0.0.5:8080" };
const withField = (field: string, value: unknown) => ({ ...plain, [field]: value });

Deno.test("parseEntry() fills in the defaults of a bare address", () => {
  const expected: Server = {
    service: "backend",
    id: "web1",
    address: { host: { kind: "ipv4", text: "10.0.0.5" }, port: 8080 },
    weight: 100,
    state: "ready",
    backup: false,
    maxconn: 0,
    tls: { kind: "off" },
    proto: "h1",
    check: { kind: "on", port: undefined, path: undefined },
    revision: 1n,
  };
  assertEquals(serverOf("10.0.0.5:8080"), expected);
  assertEquals(serverOf(plain), expected);
  assertEquals(serverOf({ address: "10.0.0.5", port: 8080 }), expected);
});

Deno.test("parseEntry() takes every field of the contract", () => {
  const value = {
    address: "web.example",
    port: 8443,
    weight: 7,
    state: "drain",
    backup: true,
    maxconn: 50,
    ssl: true,
    verify: "none",
    proto: "h2",
    check: { port: 8081, path: "/healthz", disabled: false },
    meta: { owner: "shop" },
  };
  assertEquals(serverOf(value, "shop/web:2"), {
    service: "shop",
    id: "web:2",
    address: { host: { kind: "name", text: "web.example" }, port: 8443 },
    weight: 7,
    state: "drain",
    backup: true,
    maxconn: 50,
    tls: { kind: "on", verify: "none", name: "web.example" },
    proto: "h2",
    check: { kind: "on", port: 8081, path: "/healthz" },
    revision: 1n,
  });
});

const accepted: Record<string, [value: unknown, field: keyof Server, expected: unknown]> = {
  "the lowest weight": [withField("weight", 0), "weight", 0],
  "the highest weight": [withField("weight", 256), "weight", 256],
  "a whole number in floating notation": ['{"address":"10.0.0.5:80","weight":1e2}', "weight", 100],
  "the highest maxconn": [withField("maxconn", 1_000_000), "maxconn", 1_000_000],
  "maintenance": [withField("state", "maint"), "state", "maint"],
  "the highest port": [{ address: "10.0.0.5", port: 65_535 }, "address", {
    host: { kind: "ipv4", text: "10.0.0.5" },
    port: 65_535,
  }],
  "a port field beside a bracketed IPv6 address": [{ address: "[2001:db8::5]", port: 80 }, "address", {
    host: { kind: "ipv6", text: "2001:db8::5" },
    port: 80,
  }],
  "a port field beside a bare IPv6 address": [{ address: "2001:db8::5", port: 80 }, "address", {
    host: { kind: "ipv6", text: "2001:db8::5" },
    port: 80,
  }],
  "TLS with verification where nothing else is said": [withField("ssl", true), "tls", {
    kind: "on",
    verify: "required",
    name: undefined,
  }],
  "a verify without ssl, as no TLS": [withField("verify", "none"), "tls", { kind: "off" }],
  "a disabled check, whatever else it says": [withField("check", { port: 80, disabled: true }), "check", {
    kind: "off",
  }],
  "an empty check": [withField("check", {}), "check", { kind: "on", port: undefined, path: undefined }],
  "a check path of 256 characters": [withField("check", { path: `/${"a".repeat(255)}` }), "check", {
    kind: "on",
    port: undefined,
    path: `/${"a".repeat(255)}`,
  }],
  "white space before and after the object": [' \n{"address":"10.0.0.5:80","weight":3}\n', "weight", 3],
  "the last of duplicate fields": ['{"address":"10.0.0.5:80","weight":1,"weight":2}', "weight", 2],
  "fields whose names are special in JavaScript": [
    '{"address":"10.0.0.5:80","__proto__":{"weight":9},"constructor":{"weight":9}}',
    "weight",
    100,
  ],
  "deeply nested meta": [
    `{"address":"10.0.0.5:80","weight":4,"meta":${"[".repeat(30_000)}${"]".repeat(30_000)}}`,
    "weight",
    4,
  ],
};

for (const [what, [value, field, expected]] of Object.entries(accepted)) {
  Deno.test(`parseEntry() accepts ${what}`, () => assertEquals(serverOf(value)[field], expected));
}

const rejected: Record<string, [value: unknown, reason: string]> = {
  "an empty value": ["", "value is empty"],
  "a value that is not UTF-8": [new Uint8Array([0xff, 0x3a, 0x38, 0x30]), "value is not UTF-8"],
  "a byte order mark": ['\ufeff{"address":"10.0.0.5:80"}', "value is not valid JSON"],
  "a no-break space before the object": ['\u00a0{"address":"10.0.0.5:80"}', "value is not valid JSON"],
  "JSON that ends early": ['{"address":"10.0.0.5:80"', "value is not valid JSON"],
  "deeply nested JSON that ends early": [`{"meta":${"[".repeat(60_000)}`, "value is not valid JSON"],
  "a JSON array": ['["10.0.0.5:80"]', "address is not host:port"],
  "a JSON string": ['"web:80"', "host is neither"],
  "a second line": ["10.0.0.5:80\n", "port is not a number"],
  "an address that is no string": [{ address: 10, port: 80 }, "address is missing or not a string"],
  "an address without any port": [{ address: "10.0.0.5" }, "address is not host:port"],
  "a port in address and field": [{ address: "10.0.0.5:80", port: 80 }, "address holds a port"],
  "a port beside a bracketed IPv6 address with port": [
    { address: "[2001:db8::5]:80", port: 80 },
    "IPv6 address cannot be read",
  ],
  "0.0.0.0 beside a port field": [{ address: "0.0.0.0", port: 80 }, "unspecified"],
  ":: beside a port field": [{ address: "::", port: 80 }, "unspecified"],
  "multicast beside a port field": [{ address: "ff02::1", port: 80 }, "multicast"],
  "a short form beside a port field": [{ address: "127.1", port: 80 }, "four decimal parts"],
  "a port field of 0": [{ address: "10.0.0.5", port: 0 }, "port is not an integer from 1 to 65535"],
  "a port field of 65536": [{ address: "10.0.0.5", port: 65_536 }, "port is not an integer"],
  "a port field that is a string": [{ address: "10.0.0.5", port: "80" }, "port is not an integer"],
  "a port field that is null": [{ address: "10.0.0.5", port: null }, "port is not an integer"],
  "a weight of 257": [withField("weight", 257), "weight is not an integer from 0 to 256"],
  "a weight of -1": [withField("weight", -1), "weight is not an integer"],
  "a fractional weight": [withField("weight", 1.5), "weight is not an integer"],
  "a weight that is a string": [withField("weight", "100"), "weight is not an integer"],
  "a weight beyond all numbers": ['{"address":"10.0.0.5:80","weight":1e999}', "weight is not an integer"],
  "a negative maxconn": [withField("maxconn", -1), "maxconn is not an integer from 0 to 1000000"],
  "a maxconn of 1000001": [withField("maxconn", 1_000_001), "maxconn is not an integer"],
  "an unknown state": [withField("state", "READY"), "state is not ready, drain or maint"],
  "a backup that is a number": [withField("backup", 1), "backup is not true or false"],
  "an ssl that is a string": [withField("ssl", "true"), "ssl is not true or false"],
  "an unknown verify": [withField("verify", "optional"), "verify is not required or none"],
  "an unknown proto": [withField("proto", "h3"), "proto is not h1 or h2"],
  "a check that is no object": [withField("check", false), "check is not an object"],
  "a check that is null": [withField("check", null), "check is not an object"],
  "a check port of 0": [withField("check", { port: 0 }), "check.port is not an integer"],
  "a check that is disabled by a number": [
    withField("check", { disabled: 1 }),
    "check.disabled is not true or false",
  ],
  "a check path without slash": [withField("check", { path: "healthz" }), "check.path is not a path"],
  "a check path with a quote": [withField("check", { path: "/a'b" }), "check.path is not a path"],
  "a check path with a space": [withField("check", { path: "/a b" }), "check.path is not a path"],
  "a check path with a variable": [withField("check", { path: "/$HOME" }), "check.path is not a path"],
  "a check path with a line break": [withField("check", { path: "/a\n" }), "check.path is not a path"],
  "a check path of 257 characters": [
    withField("check", { path: `/${"a".repeat(256)}` }),
    "check.path is not a path",
  ],
};

for (const [what, [value, reason]] of Object.entries(rejected)) {
  Deno.test(`parseEntry() rejects ${what}`, () => {
    assertStringIncludes(rejectionOf(value) ?? "accepted", reason);
  });
}

const keys: Record<string, [key: string, reason: string | undefined]> = {
  "a service and an id of 128 bytes": [`${SERVICES}${"s".repeat(128)}/${"i".repeat(128)}`, undefined],
  "all characters that the contract allows": [`${SERVICES}Az09._:-/Az09._:-`, undefined],
  "a service of 129 bytes": [`${SERVICES}${"s".repeat(129)}/a`, "service is not 1 to 128"],
  "an id of 129 bytes": [`${SERVICES}s/${"i".repeat(129)}`, "id is not 1 to 128"],
  "a key without id": [`${SERVICES}s`, "key is not <prefix><service>/<id>"],
  "an empty id": [`${SERVICES}s/`, "key is not <prefix><service>/<id>"],
  "an empty service": [`${SERVICES}/a`, "service is not 1 to 128"],
  "a further level": [`${SERVICES}s/a/b`, "key is not <prefix><service>/<id>"],
  "a prefix that only begins alike": ["/services2/s/a", "key is not <prefix><service>/<id>"],
  "another prefix of the same length": ["/settings/s/a", "key is not <prefix><service>/<id>"],
  "a space": [`${SERVICES}s/a b`, "id is not 1 to 128"],
  "a line break behind the id": [`${SERVICES}s/a\n`, "id is not 1 to 128"],
  "a byte beyond ASCII": [`${SERVICES}s\xe9/a`, "service is not 1 to 128"],
  "a percent sign": [`${SERVICES}s/a%41`, "id is not 1 to 128"],
};

for (const [what, [key, reason]] of Object.entries(keys)) {
  Deno.test(`parseEntry() ${reason === undefined ? "accepts" : "rejects"} ${what} in a key`, () => {
    const result = parseEntry(raw(key, "10.0.0.5:80", 7n), SERVICES);
    assertStringIncludes(result.ok ? "accepted" : result.reason, reason ?? "accepted");
  });
}

Deno.test("parseEntry() takes a value of 64 KiB and rejects a longer one unread", () => {
  const padded = (bytes: number) => '{"address":"10.0.0.5:80"}'.padEnd(bytes);
  assertEquals(rejectionOf(padded(MAX_VALUE_BYTES)), undefined);
  assertEquals(rejectionOf(padded(MAX_VALUE_BYTES + 1)), "value has more than 65536 bytes");
});

Deno.test("parseEntry() counts the fields that it does not know", () => {
  const count = (value: unknown) => {
    const result = parseEntry(raw(`${SERVICES}s/a`, value), SERVICES);
    return result.ok ? result.value.unknownFields : undefined;
  };
  assertEquals(count("10.0.0.5:80"), 0);
  assertEquals(count({ ...plain, meta: { a: 1, b: 2 } }), 0);
  assertEquals(count({ ...plain, zone: "a", Weight: 3, check: { interval: 5, port: 80 } }), 3);
  assertEquals(count('{"address":"10.0.0.5:80","__proto__":1}'), 1);
});

const overrides: Record<string, [value: unknown, expected: Partial<Override> | string]> = {
  "a state alone": [{ state: "drain" }, { state: "drain" }],
  "a weight alone": [{ weight: 0 }, { weight: 0 }],
  "an empty object": [{}, {}],
  "an unknown state": [{ state: "down" }, "state is not ready, drain or maint"],
  "a weight of 257": [{ weight: 257 }, "weight is not an integer from 0 to 256"],
  "a bare word": ["drain", "value is not valid JSON"],
  "null": ["null", "value is not a JSON object"],
  "an empty value": ["", "value is empty"],
  "a value over 64 KiB": ["{}".padEnd(MAX_VALUE_BYTES + 1), "value has more than 65536 bytes"],
};

for (const [what, [value, expected]] of Object.entries(overrides)) {
  Deno.test(`parseOverride() ${typeof expected === "string" ? "rejects" : "accepts"} ${what}`, () => {
    const result = parseOverride(raw(`${OVERRIDES}s/a`, value, 3n), OVERRIDES);
    if (typeof expected === "string") {
      return assertStringIncludes(result.ok ? "" : result.reason, expected);
    }
    const { state, weight } = { state: undefined, weight: undefined, ...expected };
    const override = { service: "s", id: "a", state, weight, revision: 3n };
    assertEquals(result, { ok: true, value: { value: override, unknownFields: 0 } });
  });
}

Deno.test("parseOverride() counts unknown fields", () => {
  const result = parseOverride(raw(`${OVERRIDES}s/a`, { state: "ready", until: 5 }), OVERRIDES);
  assertEquals(result.ok && result.value.unknownFields, 1);
});

Deno.test("parseEntry() makes of any bytes a server within the contract, or a rejection", () => {
  let servers = 0;
  fc.assert(
    fc.property(anyKey(SERVICES), anyValue, (key, value) => {
      const result = parseEntry({ key, value, modRevision: 5n, hasLease: true }, SERVICES);
      if (result.ok) {
        servers++;
        return assertWithinContract(result.value.value);
      }
      assertMatch(result.reason, /^[\x20-\x7e]+$/);
    }),
    { numRuns: 2_000 },
  );
  assertEquals(servers > 100, true, `only ${servers} servers: the property says little`);
});

Deno.test("parseOverride() makes of any bytes an override within the contract, or a rejection", () => {
  const value = fc.oneof(
    anyValue,
    fc.record({
      state: fc.oneof(fc.constantFrom("ready", "drain", "maint"), fc.jsonValue()),
      weight: fc.oneof(fc.integer({ min: -2, max: 258 }), fc.double()),
    }, { requiredKeys: [] }).map((value) => new TextEncoder().encode(JSON.stringify(value))),
  );
  fc.assert(
    fc.property(anyKey(OVERRIDES), value, (key, value) => {
      const result = parseOverride({ key, value, modRevision: 5n, hasLease: true }, OVERRIDES);
      if (!result.ok) return assertMatch(result.reason, /^[\x20-\x7e]+$/);
      assertWithinContract({ ...serverOf("10.0.0.5:80"), ...withoutGaps(result.value.value) });
    }),
    { numRuns: 1_000 },
  );
});

function withoutGaps<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Partial<T>;
}

function assertWithinContract(server: Server): void {
  const { host, port } = server.address;
  const problems = [
    !/^[A-Za-z0-9._:-]{1,128}$/.test(server.service) && "service",
    !/^[A-Za-z0-9._:-]{1,128}$/.test(server.id) && "id",
    !/^[A-Za-z0-9._:-]{1,253}$/.test(host.text) && "host",
    /^[0-9.]+$/.test(host.text) !== (host.kind === "ipv4") && "kind of a numeric host",
    host.text.includes(":") !== (host.kind === "ipv6") && "kind of a host with colons",
    !isIntegerIn(port, 1, 65_535) && "port",
    !isIntegerIn(server.weight, 0, 256) && "weight",
    !isIntegerIn(server.maxconn, 0, 1_000_000) && "maxconn",
    !["ready", "drain", "maint"].includes(server.state) && "state",
    !["h1", "h2"].includes(server.proto) && "proto",
    typeof server.backup !== "boolean" && "backup",
    server.tls.kind === "on" && !["required", "none"].includes(server.tls.verify) && "verify",
    server.tls.kind === "on" && (server.tls.name ?? host.text) !== host.text && "name in the certificate",
    server.check.kind === "on" && !isIntegerIn(server.check.port ?? 1, 1, 65_535) && "check port",
    server.check.kind === "on" && !/^\/[^\s'"\\$#]*$/.test(server.check.path ?? "/") && "check path",
  ];
  assertEquals(problems.filter((problem) => problem !== false), []);
}

function isIntegerIn(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

Deno.test("parseEntry() says of an object without address that the address is missing", () => {
  assertStringIncludes(rejectionOf({ port: 80 }) ?? "", "address is missing");
  assertStringIncludes(rejectionOf({}) ?? "", "address is missing");
});

Deno.test("parseEntry() rejects an array for check, and a name that HAProxy would look up as SRV", () => {
  assertStringIncludes(rejectionOf({ address: "10.0.0.5:80", check: [] }) ?? "", "check is not an object");
  assertStringIncludes(rejectionOf("_http._tcp.example:80") ?? "", "DNS name");
});

Deno.test("parseOverride() rejects an array", () => {
  assertEquals(parseOverride(raw(`${OVERRIDES}s/a`, "[]"), OVERRIDES).ok, false);
});
