import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { canonicalIp, formatAddress, parseAddress, parseHost } from "../../../lib/registry/address.ts";

const accepted: Record<string, { text: string; kind: "ipv4" | "ipv6" | "name"; formatted: string }> = {
  "an IPv4 address": { text: "10.0.0.5:8080", kind: "ipv4", formatted: "10.0.0.5:8080" },
  "loopback": { text: "127.0.0.1:1", kind: "ipv4", formatted: "127.0.0.1:1" },
  "the highest port": { text: "10.0.0.5:65535", kind: "ipv4", formatted: "10.0.0.5:65535" },
  "an IPv6 address": { text: "[2001:db8::5]:80", kind: "ipv6", formatted: "[2001:db8::5]:80" },
  "a long spelling of an IPv6 address": {
    text: "[2001:0DB8:0:0:0:0:0:0005]:80",
    kind: "ipv6",
    formatted: "[2001:db8::5]:80",
  },
  "an IPv6 address that ends in an IPv4 one": {
    text: "[::ffff:10.0.0.5]:80",
    kind: "ipv6",
    formatted: "[::ffff:a00:5]:80",
  },
  "IPv6 loopback": { text: "[::1]:80", kind: "ipv6", formatted: "[::1]:80" },
  "a name": { text: "web-1.example:80", kind: "name", formatted: "web-1.example:80" },
  "a name of one label": { text: "localhost:80", kind: "name", formatted: "localhost:80" },
  "a name that only starts like a number": { text: "1e3:80", kind: "name", formatted: "1e3:80" },
  "a name of 253 characters": {
    text: `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}:80`,
    kind: "name",
    formatted: `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}:80`,
  },
};

for (const [what, { text, kind, formatted }] of Object.entries(accepted)) {
  Deno.test(`parseAddress() accepts ${what}`, () => {
    const parsed = parseAddress(text);
    assertEquals(parsed.ok && parsed.value.host.kind, kind);
    assertEquals(parsed.ok && formatAddress(parsed.value), formatted);
  });
}

const notFourParts = "IPv4 address does not have four decimal parts";
const noName = "neither an IPv4 address, an IPv6 address in brackets nor a DNS name";
const noPort = "port is not a number from 1 to 65535";
const noPair = "address is not host:port";

const rejected: Record<string, [text: string, reason: string]> = {
  "a port of 0": ["10.0.0.5:0", noPort],
  "a port of 65536": ["10.0.0.5:65536", noPort],
  "a relative port": ["10.0.0.5:+1", noPort],
  "a port with leading zeros": ["10.0.0.5:0080", noPort],
  "a port in other digits than ASCII's": ["10.0.0.5:８０", noPort],
  "an empty port": ["10.0.0.5:", noPort],
  "a line break after the port": ["10.0.0.5:80\n", noPort],
  "a missing port": ["10.0.0.5", noPair],
  "an empty text": ["", noPair],
  "two ports": ["10.0.0.5:80:81", noPair],
  "an IPv6 address without brackets": ["2001:db8::5:80", noPair],
  "an IPv6 address without port": ["[2001:db8::5]", noPair],
  "an empty host": [":80", noName],
  "a star": ["*:80", noName],
  "a path": ["/tmp/web.sock:80", noName],
  "an address family": ["unix@web:80", noName],
  "a variable": ["$HOME:80", noName],
  "a variable in braces": ["${HOME}:80", noName],
  "a space before the host": [" web:80", noName],
  "a space within the host": ["web 1:80", noName],
  "a quote": ["web':80", noName],
  "a comment": ["web#:80", noName],
  "a command separator": ["web;x:80", noName],
  "NUL": ["web\0:80", noName],
  "a label that starts with a hyphen": ["-web:80", noName],
  "a label that ends in a hyphen": ["web-.example:80", noName],
  "an empty label": ["web..example:80", noName],
  "a label of 64 characters": [`${"a".repeat(64)}:80`, noName],
  "a name of 254 characters": [`${"a.".repeat(126)}bc:80`, noName],
  "digits that only look like ASCII's": ["١٢٧.example:80", noName],
  "letters that only look like ASCII's": ["wеb:80", noName],
  "full-width dots": ["10。0。0。5:80", noName],
  "the short form 127.1": ["127.1:80", notFourParts],
  "a bare number": ["2130706433:80", notFourParts],
  "zero": ["0:80", notFourParts],
  "a hexadecimal number": ["0x7f000001:80", notFourParts],
  "a hexadecimal last part": ["web.0x1:80", notFourParts],
  "an octal part": ["010.0.0.5:80", notFourParts],
  "a part of 256": ["10.0.0.256:80", notFourParts],
  "five parts": ["10.0.0.0.5:80", notFourParts],
  "a dot behind an IPv4 address": ["10.0.0.5.:80", notFourParts],
  "0.0.0.0": ["0.0.0.0:80", "unspecified"],
  "::": ["[::]:80", "unspecified"],
  ":: in its long spelling": ["[0:0:0:0:0:0:0:0]:80", "unspecified"],
  "0.0.0.0 within IPv6": ["[::ffff:0.0.0.0]:80", "unspecified"],
  "IPv4 multicast": ["224.0.0.1:80", "multicast"],
  "the end of IPv4 multicast": ["239.255.255.255:80", "multicast"],
  "IPv4 multicast within IPv6": ["[::ffff:224.0.0.1]:80", "multicast"],
  "IPv6 multicast": ["[ff02::1]:80", "multicast"],
  "broadcast": ["255.255.255.255:80", "broadcast"],
  "a zone": ["[fe80::1%eth0]:80", "IPv6 address cannot be read"],
  "two gaps in an IPv6 address": ["[2001::db8::5]:80", "IPv6 address cannot be read"],
  "a group of five digits": ["[2001:12345::5]:80", "IPv6 address cannot be read"],
  "a short IPv4 address within IPv6": ["[::ffff:127.1]:80", "IPv6 address cannot be read"],
  "an IPv4 address in brackets": ["[10.0.0.5]:80", "only an IPv6 address can have brackets"],
  "empty brackets": ["[]:80", "only an IPv6 address can have brackets"],
};

for (const [what, [text, reason]] of Object.entries(rejected)) {
  Deno.test(`parseAddress() rejects ${what}`, () => {
    const parsed = parseAddress(text);
    assertStringIncludes(parsed.ok ? "accepted" : parsed.reason, reason);
  });
}

Deno.test("parseHost() takes an IPv6 address with and without brackets, because its port is elsewhere", () => {
  const expected = { ok: true, value: { kind: "ipv6", text: "2001:db8::5" } } as const;
  assertEquals(parseHost("2001:db8::5"), expected);
  assertEquals(parseHost("[2001:db8::5]"), expected);
});

Deno.test("parseHost() rejects a host that carries a port", () => {
  assertEquals(parseHost("10.0.0.5:80").ok, false);
});

Deno.test("parseAddress() reads what formatAddress() writes as the same address", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
      fc.integer({ min: 1, max: 65_535 }),
      (host, port) => {
        const parsed = parseAddress(`${host.includes(":") ? `[${host}]` : host}:${port}`);
        if (parsed.ok) assertEquals(parseAddress(formatAddress(parsed.value)), parsed);
      },
    ),
  );
});

Deno.test("canonicalIp() spells an IPv6 address of hexadecimal groups as a URL does", () => {
  fc.assert(fc.property(fc.ipV6(), (text) => {
    assertEquals(canonicalIp(text), new URL(`http://[${text}]/`).hostname.slice(1, -1));
  }));
});

Deno.test("canonicalIp() leaves alone what is no address", () => {
  assertEquals(canonicalIp("-"), "-");
});

Deno.test("parseAddress() keeps an IPv4-compatible IPv6 address the address it is, in HAProxy's spelling too", () => {
  const parsed = parseAddress("[::10.0.0.5]:80");
  assertEquals(parsed.ok && parsed.value.host.text, "::a00:5");
  assertEquals(canonicalIp("::0.1.0.0"), canonicalIp("::1:0"));
});
