import fc from "fast-check";
import { anyCharacter } from "./characters.ts";

/** A key and its value as bytes. */
export interface RawPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** An entry that must be served, and how HAProxy must run it. */
export interface GoodEntry extends RawPair {
  readonly service: string;
  readonly id: string;
  /** The 4 or 16 bytes of its address. */
  readonly ip: readonly number[];
  readonly port: number;
  readonly weight: number;
  readonly maint: boolean;
}

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

/** Sections, keywords and proxies of HAProxy's own, names of the template, properties of every object, names at the limit. */
const NAMES = [
  ...[
    "main",
    "stats",
    "etcd-haproxy",
    "global",
    "defaults",
    "listen",
    "frontend",
    "server",
    "http",
    "default",
  ],
  ...[
    "GLOBAL",
    "MASTER",
    "HTTPCLIENT",
    "-HTTPCLIENT",
    "httpclient",
    "unix",
    "none",
    "all",
    "on",
    "localhost",
  ],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "undefined", "null", "NaN"],
  ...["Web", "web", "WEB", "wEb", "-", "--", ".", "..", ":", "::", "_", "0", "1", "-1", "1e3", "0x10"],
  ...["127.0.0.1:80", "FRONTEND", "BACKEND", "a:b", "setenv"],
  ...["n".repeat(128), "N".repeat(128), ":".repeat(128), "-".repeat(127), "9".repeat(128)],
];

/** A name that the contract allows. */
export const goodName = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NAMES) },
  fc.string({ unit: fc.constantFrom(..."AaZz09._:-"), minLength: 1, maxLength: 128 }),
);

const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(254)).map((
  rest,
) => [127, ...rest.map((part) => part || 1)]);

interface Spelled {
  readonly ip: readonly number[];
  readonly host: string;
}

const groups = (ip: readonly number[]) =>
  Array.from({ length: 8 }, (_, at) => (ip[2 * at] ?? 0) * 256 + (ip[2 * at + 1] ?? 0));

/** The spellings of one IPv6 address: long, short, mixed with IPv4, in capitals. */
function spellings(ip: readonly number[]): string[] {
  const all = groups(ip);
  const long = all.map((group) => group.toString(16).padStart(4, "0")).join(":");
  const plain = all.map((group) => group.toString(16)).join(":");
  const short = plain.replace(/(^|:)0(:0)+(:|$)/, "::");
  const mixed = `${all.slice(0, 6).map((group) => group.toString(16)).join(":")}:${ip.slice(12).join(".")}`;
  return [long, plain, short, mixed, long.toUpperCase(), short.toUpperCase()];
}

const mapped = ipv4.map((ip) => [...Array<number>(10).fill(0), 255, 255, ...ip]);
const loopback6 = fc.constant([...Array<number>(15).fill(0), 1]);
const documentation = fc.array(fc.constantFrom(0, 0, 0, 1, 16, 255), { minLength: 12, maxLength: 12 })
  .map((rest) => [0x20, 0x01, 0x0d, 0xb8, ...rest]);

const spelled = (ip: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Spelled> =>
  ip.chain((ip) => fc.constantFrom(...spellings(ip)).map((host) => ({ ip, host: `[${host}]` })));

/** Addresses that need not be on this machine. */
export const anyAddress: fc.Arbitrary<Spelled> = fc.oneof(
  ipv4.map((ip) => ({ ip, host: ip.join(".") })),
  spelled(fc.oneof(mapped, loopback6, documentation)),
);

/** Addresses of this machine, where nothing listens that a check could disturb. */
export const localAddress: fc.Arbitrary<Spelled> = fc.oneof(
  ipv4.map((ip) => ({ ip, host: ip.join(".") })),
  spelled(mapped),
);

/** Entries that must be served, in any of the forms that the contract has. */
export function goodEntry(address: fc.Arbitrary<Spelled>, names = goodName): fc.Arbitrary<GoodEntry> {
  return fc.record({
    service: names,
    id: goodName,
    address,
    port: fc.constantFrom(1, 65_535, 40_001, 40_002),
    weight: fc.option(fc.constantFrom(0, 1, 100, 256), { nil: undefined }),
    maint: fc.boolean(),
    form: fc.constantFrom("plain", "json", "apart"),
    check: fc.record({
      disabled: fc.boolean(),
      port: fc.constantFrom(1, 65_535),
      path: fc.constantFrom("/healthz", "/a;b=(c)*!&%20,", `/${"p".repeat(255)}`),
    }, { requiredKeys: [] }),
    more: fc.constantFrom<Record<string, unknown>>(
      { proto: "h2" },
      { ssl: true },
      { ssl: true, verify: "none", proto: "h2", backup: true },
      { maxconn: 1_000_000, backup: true },
      {},
      { meta: { "a\nb": "\u001b[31m" } },
      {
        __proto: 1,
        "constructor": 2,
        "\u202e": 3,
      },
    ),
  }).map(({ service, id, address: { ip, host }, port, weight = 100, maint, form, check, more }) => {
    const key = bytes(`/services/${service}/${id}`);
    if (form === "plain") {
      return { service, id, ip, port, weight: 100, maint: false, key, value: bytes(`${host}:${port}`) };
    }
    const place = form === "json" ? { address: `${host}:${port}` } : { address: host, port };
    const fields = { ...more, ...place, weight, state: maint ? "maint" : "ready", check };
    return { service, id, ip, port, weight, maint, key, value: bytes(JSON.stringify(fields)) };
  });
}

const WORDS = [
  ...["\n", "\r\n", "\0", "\t", " ", ";", "#", "%", "$HOME", "${HOME}", '"', "'", "`", "\\", "/", "@", "|"],
  ...[
    "\u001b[2J",
    "\u009b31m",
    "\u202e",
    "\u2066",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\u00a0",
    "\ud800",
    "\u{1f600}",
  ],
  ...[
    "wеb",
    "ｗｅｂ",
    "١٢٧",
    "backend",
    "server",
    "disabled",
    "\nbackend evil\n",
    "; del server a/b",
    "unix@/tmp/x",
  ],
  ...[
    "<script>",
    "%[env(HOME)]",
    "$(id)",
    "*",
    "::",
    "0",
    "-1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "169.254.1.1",
  ],
];
const hostileText = fc.array(
  fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: anyCharacter, maxLength: 4 })),
  {
    minLength: 1,
    maxLength: 5,
  },
).map((parts) => parts.join(""));

const ADDRESSES = [
  ...[
    "localhost:80",
    "web_1.Example:65535",
    `${"a".repeat(63)}.example:80`,
    `${"a.".repeat(126)}z:80`,
    "n--n:80",
  ],
  ...[
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:080",
    "127.0.0.1:+80",
    "127.0.0.1:8e1",
    "127.0.0.1",
    ":80",
    "*:80",
  ],
  ...[
    "127.1:80",
    "0:80",
    "0.0.0.0:80",
    "[::]:80",
    "[::0.0.0.0]:80",
    "[::ffff:0.0.0.0]:80",
    "::1:80",
    "[::1]",
    "[]:80",
  ],
  ...[
    "[fe80::1%lo]:80",
    "[1::2::3]:80",
    "[::127.0.0.1.1]:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "[ff02::1]:80",
  ],
  ...[
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
    "[fe80::1]:80",
    "unix@/tmp/x:80",
    "fd@3:80",
    "/tmp/x:80",
  ],
  ...[
    "127.0.0.1:80 disabled",
    "127.0.0.1:80\nbackend evil",
    "127.0.0.1:80#",
    "127.0.0.1:80;",
    " 127.0.0.1:80",
  ],
  ...[
    "_http._tcp.example:80",
    "-a.example:80",
    `${"a".repeat(64)}.example:80`,
    `${"a.".repeat(127)}:80`,
    "a..b:80",
  ],
  ...[
    "１２７.0.0.1:80",
    "127。0.0.1:80",
    "ｗeb:80",
    "$HOME:80",
    "${HOME}:80",
    '"web":80',
    "web\\x20:80",
    "\u0000:80",
  ],
];

const JSON_TEXTS = [
  ...["", "{", "null", "[]", "1", '"127.0.0.1:80"', "{}", '{"address":null}', '{"address":["127.0.0.1:80"]}'],
  '{"__proto__":{"address":"127.0.0.1:80"}}',
  '{"constructor":{"prototype":{"address":"127.0.0.1:80"}}}',
  '{"address":"127.0.0.1:80","check":{"__proto__":{"port":0}},"port":0}',
  '{"address":"127.0.0.1","port":1e400}',
  '{"address":"127.0.0.1","port":80.5}',
  '{"address":"127.0.0.1","port":-0}',
  '{"address":"127.0.0.1","port":"80"}',
  '{"address":"127.0.0.1:80","port":80}',
  '{"address":"127.0.0.1:80","weight":-0.5}',
  '{"address":"127.0.0.1:80","weight":1e400}',
  '{"address":"127.0.0.1:80","maxconn":1000001}',
  '{"address":"127.0.0.1:80","check":{"path":"/a b"}}',
  `{"address":"127.0.0.1:80","check":{"path":"/'\\n"}}`,
  '{"address":"127.0.0.1:80","check":[]}',
  '{"address":"127.0.0.1:80","state":"toString"}',
  '{"address":"127.0.0.1:80","proto":"h2\\nbackend evil"}',
  '{"address":"127.0.0.1:80","address":"$HOME:80"}',
  '{"address":"\\ud800:80"}',
  '\ufeff{"address":"127.0.0.1:80"}',
];

const LIMIT = 64 * 1024;
const padded = (size: number) => {
  const [head, tail] = ['{"address":"127.0.0.1:0","meta":"', '"}'];
  return head + "x".repeat(size - head.length - tail.length) + tail;
};
const nested = (depth: number, [open, close]: readonly [string, string]) =>
  `{"address":"127.0.0.1:0","meta":${open.repeat(depth)}1${close.repeat(depth)}}`;

/** Values at the limit, and JSON as deep as it can be; few of them, for each is large. */
export const LARGE_VALUES: readonly Uint8Array[] = [
  ...[padded(LIMIT - 1), padded(LIMIT), padded(LIMIT + 1), padded(1_000_000)],
  ...[nested(32_000, ["[", "]"]), nested(100_000, ["[", "]"]), nested(10_000, ['{"a":', "}"])],
  ...["[".repeat(60_000), '{"a":'.repeat(12_000), `{"address":${"[".repeat(60_000)}`],
].map(bytes);

/** A value that must not be served, or for which both is right. */
const hostileValue: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constantFrom(...ADDRESSES, ...JSON_TEXTS).map(bytes),
  fc.constantFrom(...ADDRESSES).map((address) => bytes(JSON.stringify({ address }))),
  hostileText.map(bytes),
  hostileText.map((text) => bytes(JSON.stringify({ address: `${text}:80` }))),
  hostileText.map((text) => bytes(JSON.stringify({ address: "127.0.0.1:80", check: { path: `/${text}` } }))),
  fc.tuple(
    fc.constantFrom(
      "port",
      "weight",
      "maxconn",
      "state",
      "backup",
      "ssl",
      "verify",
      "proto",
      "check",
      "address",
    ),
    fc.oneof(hostileText, fc.double(), fc.constantFrom(-1, 65_536, 257, null, [], {}, true, "80", 1.5)),
  ).map(([field, value]) => bytes(JSON.stringify({ address: "127.0.0.1:80", [field]: value }))),
  fc.uint8Array({ maxLength: 40 }),
);

const concat = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** A key below one of the prefixes, with whatever bytes behind it. */
function hostileKey(prefix: string, services: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const name = fc.oneof(services, hostileText, fc.constantFrom("", "n".repeat(129), "a/b", "%00"));
  return fc.oneof(
    fc.tuple(name, name).map((names) => bytes(`${prefix}${names.join("/")}`)),
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((rest) => concat(bytes(prefix), rest)),
    services.chain((service) =>
      fc.uint8Array({ minLength: 1, maxLength: 9 }).map((rest) => concat(bytes(`${prefix}${service}/`), rest))
    ),
  );
}

/** Entries of a hostile writer; some of them can be served all the same. */
export function hostileEntry(services: fc.Arbitrary<string> = goodName): fc.Arbitrary<RawPair> {
  return fc.oneof(
    fc.record({ key: hostileKey("/services/", services), value: hostileValue }),
    fc.record({
      key: fc.tuple(services, goodName).map((names) => bytes(`/services/${names.join("/")}`)),
      value: hostileValue,
    }),
    fc.record({ key: hostileKey("/services/", services), value: fc.constant(bytes("127.0.0.1:80")) }),
  );
}

/** Overrides that must not have any effect: their key or their value does not fit. */
export const hostileOverride: fc.Arbitrary<RawPair> = fc.record({
  key: hostileKey("/haproxy/settings/servers/", goodName),
  value: fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    hostileText.map((text) => bytes(JSON.stringify({ state: text }))),
    fc.constantFrom(
      '{"weight":-0.5}',
      '{"weight":257}',
      '{"state":"toString"}',
      '{"__proto__":{"state":"maint"}}',
    )
      .map(bytes),
  ),
});
