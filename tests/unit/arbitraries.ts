import fc from "fast-check";
import { anyCharacter } from "../support/characters.ts";

/** A service or an id, of all the characters that the contract allows. */
export const placeName = fc.string({
  unit: fc.constantFrom(..."ABXYZabxyz0129._:-"),
  minLength: 1,
  maxLength: 12,
});

const label = fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}[a-z]$/);
const hostName = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const ipv4 = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) =>
  parts.join(".")
);
const ipv6 = fc.ipV6().filter((text) => !/^(ff|[0:.]*$)/i.test(text)).map((text) => `[${text}]`);

/** A host that the contract allows, as in `host:port`. */
export const host = fc.oneof(hostName, ipv4, fc.constantFrom("[2001:db8::5]", "[::ffff:10.0.0.5]"));

const port = fc.integer({ min: 1, max: 65_535 });

/** An entry that the contract allows. */
export const goodEntry = fc.record({
  address: fc.tuple(host, port).map(([host, port]) => `${host}:${port}`),
  weight: fc.integer({ min: 0, max: 256 }),
  state: fc.constantFrom("ready", "drain", "maint"),
  backup: fc.boolean(),
  maxconn: fc.integer({ min: 0, max: 1_000_000 }),
  ssl: fc.boolean(),
  verify: fc.constantFrom("required", "none"),
  proto: fc.constantFrom("h1", "h2"),
  check: fc.record({
    port,
    path: fc.constantFrom("/", "/healthz", "/a;b?c=%20&d=(e)*!"),
    disabled: fc.boolean(),
  }, { requiredKeys: [] }),
  meta: fc.jsonValue(),
}, { requiredKeys: ["address"] });

const hostileText = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.constantFrom(
    "10.0.0.5:80 disabled",
    "10.0.0.5:80\nbackend x",
    "10.0.0.5:80#",
    "$HOME:80",
    "${HOME}:80",
    "unix@/tmp/x:80",
    "/tmp/x:80",
    "ipv4@10.0.0.5:80",
    '"web":80',
    "'web':80",
    "web;shutdown:80",
    "web\\x20:80",
    "127.1:80",
    "*:80",
    "١٢٧.0.0.1:80",
    "ｗeb:80",
  ),
  fc.ipV6().map((text) => `[${text}]:80`),
  fc.tuple(ipv6, port).map(([host, port]) => `${host}:${port}`),
);

/** A JSON object with the contract's fields, each good, hostile or of any type. */
export const anyEntry = fc.tuple(
  goodEntry,
  fc.dictionary(
    fc.constantFrom("address", "port", "weight", "state", "maxconn", "ssl", "verify", "proto", "check", "x"),
    fc.oneof(hostileText, fc.jsonValue(), fc.double()),
    { maxKeys: 3 },
  ),
).map(([good, hostile]) => JSON.stringify({ ...good, ...hostile }));

/** The bytes of a value: of an entry, of a text, or any. */
export const anyValue = fc.oneof(
  anyEntry.map((text) => new TextEncoder().encode(text)),
  hostileText.map((text) => new TextEncoder().encode(text)),
  fc.uint8Array({ maxLength: 64 }),
);

/** A key as latin1 text, below the prefix or not. */
export const anyKey = (prefix: string) =>
  fc.oneof(
    fc.tuple(placeName, placeName).map(([service, id]) => `${prefix}${service}/${id}`),
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)) }).map((
      rest,
    ) => `${prefix}${rest}`),
    fc.string(),
  );
