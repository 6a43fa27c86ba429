import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { defaultId, entryValue, serverValue } from "../../../lib/registry/entry_format.ts";
import { goodEntry } from "../arbitraries.ts";
import { serverOf } from "../fixtures.ts";

const address = { host: { kind: "ipv6", text: "2001:db8::5" }, port: 8080 } as const;

Deno.test("entryValue() puts an IPv6 address into brackets, and leaves out what is not given", () => {
  assertEquals(entryValue({ address }, "drain"), '{"address":"[2001:db8::5]:8080","state":"drain"}');
});

Deno.test("entryValue() holds all that is given", () => {
  assertEquals(
    entryValue({ address, weight: 0, maxconn: 5, meta: { zone: "a" } }, "ready"),
    '{"address":"[2001:db8::5]:8080","state":"ready","weight":0,"maxconn":5,"meta":{"zone":"a"}}',
  );
});

Deno.test("defaultId() tells processes on one host apart by their ports", () => {
  assertEquals([defaultId("web1", 8080), defaultId("web1", 8081)], ["web1-8080", "web1-8081"]);
});

Deno.test("defaultId() is a valid id whatever the host is called", () => {
  assertEquals(defaultId("my host/ä", 80), "my-host---80");
  assertEquals(defaultId("", 80), "backend-80");
  assertEquals(defaultId("h".repeat(253), 65_535), `${"h".repeat(122)}-65535`);
});

Deno.test("serverValue() writes a value from which the same server is read", () => {
  fc.assert(fc.property(goodEntry, (entry) => {
    const server = serverOf(entry);
    assertEquals(serverOf(serverValue(server)), server);
  }));
});

Deno.test("serverValue() leaves out what is as by default", () => {
  assertEquals(
    serverValue(serverOf({ address: "10.0.0.5:80", weight: 100, check: {}, ssl: false })),
    "10.0.0.5:80",
  );
  assertEquals(
    serverValue(serverOf({ address: "web.test:80", ssl: true, check: { path: "/", disabled: true } })),
    '{"address":"web.test:80","ssl":true,"verify":"required","check":{"disabled":true}}',
  );
});
