import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../../lib/registry/address.ts";
import {
  ANY_NETWORK,
  type Networks,
  objectionTo,
  parseNetworks,
} from "../../../lib/registry/allowed_addresses.ts";
import { host } from "../arbitraries.ts";

function networksOf(text: string): Networks {
  const networks = parseNetworks(text);
  if (!networks.ok) throw new Error(networks.reason);
  return { ...ANY_NETWORK, allowed: networks.value };
}

function judge(address: string, networks: Networks, checkPort?: number): string | undefined {
  const parsed = parseAddress(address);
  if (!parsed.ok) throw new Error(parsed.reason);
  return objectionTo(parsed.value, checkPort, networks);
}

const LINK_LOCAL = [
  "169.254.169.254:80",
  "169.254.0.0:80",
  "[::ffff:169.254.169.254]:80",
  "[::ffff:a9fe:a9fe]:80",
  "[0:0:0:0:0:FFFF:169.254.1.2]:80",
  "[fe80::1]:80",
  "[febf:ffff::1]:80",
];
for (const address of LINK_LOCAL) {
  Deno.test(`objectionTo() finds ${address} link-local`, () => {
    const reason = judge(address, ANY_NETWORK) ?? "";
    assertEquals(
      /^address \S+ is link-local, which only --server-networks can allow$/.test(reason),
      true,
      reason,
    );
  });
}

Deno.test("objectionTo() has none to addresses and names elsewhere when no network is named", () => {
  for (const host of ["127.0.0.1", "10.0.0.1", "169.253.255.255", "[fec0::1]", "[::1]", "web.example"]) {
    assertEquals(judge(`${host}:80`, ANY_NETWORK), undefined);
  }
});

const inside: Record<
  string,
  readonly [networks: string, inside: readonly string[], outside: readonly string[]]
> = {
  "an IPv4 network": ["10.1.0.0/16", ["10.1.0.0", "10.1.255.255", "[::ffff:10.1.2.3]"], [
    "10.2.0.0",
    "[::1]",
  ]],
  "host bits in a network": ["10.1.2.3/16", ["10.1.0.0"], ["10.2.2.3"]],
  "one address": ["192.0.2.5", ["192.0.2.5"], ["192.0.2.4"]],
  "an IPv6 network": ["2001:DB8::/32", ["[2001:db8::5]", "[2001:db8:ffff::1]"], ["[2001:db9::]", "10.0.0.1"]],
  "several networks": ["10.0.0.0/8, ::1,", ["10.9.9.9", "[::1]"], ["11.0.0.1", "[::2]"]],
  "an IPv4-mapped network": ["::ffff:10.0.0.0/104", ["10.1.1.1", "[::ffff:10.2.2.2]"], ["11.0.0.1"]],
  "all of IPv4": ["0.0.0.0/0", ["8.8.8.8", "169.254.169.254", "[::ffff:8.8.8.8]"], ["[2001:db8::1]"]],
  "all of IPv6": ["::/0", ["[2001:db8::1]", "[fe80::1]"], ["8.8.8.8", "[::ffff:8.8.8.8]"]],
  "IPv6 that ends like IPv4": ["::10.0.0.0/104", ["[::10.0.0.5]", "[::a00:5]"], ["10.0.0.5"]],
};
for (const [what, [networks, allowed, refused]] of Object.entries(inside)) {
  Deno.test(`objectionTo() compares addresses with ${what}`, () => {
    for (const host of allowed) assertEquals(judge(`${host}:80`, networksOf(networks)), undefined, host);
    for (const host of refused) {
      const reason = judge(`${host}:80`, networksOf(networks)) ?? "";
      assertEquals(/^address \S+ is outside of --server-networks$/.test(reason), true, `${host}: ${reason}`);
    }
  });
}

Deno.test("objectionTo() has one to every name when networks are named", () => {
  assertEquals(
    judge("web.example:80", networksOf("0.0.0.0/0,::/0")),
    "host is a name, and only addresses can be compared with --server-networks",
  );
});

for (
  const text of [
    "",
    ",",
    "10.0.0.0/33",
    "::/129",
    "10.0.0/8",
    "10.0.0.0/",
    "web",
    "10.0.0.0/8;::1",
    "1/8",
    "*",
  ]
) {
  Deno.test(`parseNetworks() refuses ${JSON.stringify(text)}`, () => {
    assertEquals(parseNetworks(text).ok, false);
  });
}

const NODE: Networks = {
  allowed: undefined,
  listeners: [
    { flag: "--bind", ip: undefined, port: 80 },
    { flag: "--stats-bind", ip: "127.0.0.1", port: 8404 },
    { flag: "--admin-bind", ip: "2001:db8::7", port: 8405 },
  ],
  ownIps: ["127.0.0.1", "::1", "10.0.0.7", "2001:db8::7", "fe80::7"],
};

const listeners: Record<string, readonly [flag: string, own: readonly string[], others: readonly string[]]> =
  {
    "on every address": [
      "--bind",
      [
        "127.0.0.1:80",
        "127.9.9.9:80",
        "10.0.0.7:80",
        "[::1]:80",
        "[2001:DB8:0::7]:80",
        "[::ffff:10.0.0.7]:80",
      ],
      ["127.0.0.1:81", "10.0.0.8:80", "[2001:db8::8]:80", "web.example:80"],
    ],
    "on one address": [
      "--stats-bind",
      ["127.0.0.1:8404", "[::ffff:127.0.0.1]:8404", "localhost:8404", "x.LOCALHOST:8404"],
      ["127.0.0.2:8404", "10.0.0.7:8404", "[::1]:8404"],
    ],
    "on one IPv6 address": ["--admin-bind", ["[2001:db8::7]:8405"], ["[2001:db8::8]:8405", "localhost:8405"]],
  };
for (const [what, [flag, own, others]] of Object.entries(listeners)) {
  Deno.test(`objectionTo() knows the node's own listener ${what}`, () => {
    for (const address of own) {
      assertEquals(judge(address, NODE)?.endsWith(`is this node's own listener (${flag})`), true, address);
    }
    for (const address of others) assertEquals(judge(address, NODE), undefined, address);
  });
}

Deno.test("objectionTo() has one to a check that would ask the node itself", () => {
  assertEquals(
    judge("127.0.0.1:9999", NODE, 8404),
    "127.0.0.1 port 8404 is this node's own listener (--stats-bind)",
  );
  assertEquals(judge("127.0.0.1:9999", NODE, 9998), undefined);
});

Deno.test("objectionTo() finds the node's own listeners in networks that are named", () => {
  const networks = { ...NODE, allowed: networksOf("0.0.0.0/0").allowed };
  assertEquals(judge("10.0.0.7:80", networks), "10.0.0.7 port 80 is this node's own listener (--bind)");
});

Deno.test("objectionTo() has an answer to every address that an entry can have", () => {
  const policies = [ANY_NETWORK, NODE, networksOf("10.0.0.0/8,2001:db8::/32")];
  fc.assert(
    fc.property(host, fc.constantFrom(80, 8404, 8405), fc.constantFrom(...policies), (host, port, policy) => {
      const reason = judge(`${host}:${port}`, policy);
      assertEquals(reason === undefined || reason.length > 0, true);
    }),
  );
});
