import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { configWords } from "../../../lib/config/line.ts";
import type { ServerLine } from "../../../lib/config/text.ts";
import { parseEntry, type Server } from "../../../lib/registry/entry.ts";
import { comparable, serverParams, withServerIds } from "../../../lib/config/server_line.ts";
import { anyEntry, goodEntry, placeName } from "../arbitraries.ts";
import { raw, serverOf, SERVICES } from "../fixtures.ts";

const CHECK = "check inter 2s fastinter 500ms downinter 1s rise 2 fall 3" +
  " observe layer4 error-limit 3 on-error mark-down";
const POOL = "pool-purge-delay 5s pool-max-conn -1";
const NAME = "init-addr none resolvers etcd-haproxy";

const written: Record<string, [fields: Record<string, unknown>, params: string]> = {
  "an address alone": [{}, `10.0.0.5:80 weight 100 ${CHECK} ${POOL}`],
  "a weight": [{ weight: 0 }, `10.0.0.5:80 weight 0 ${CHECK} ${POOL}`],
  "drain as weight 0": [{ weight: 7, state: "drain" }, `10.0.0.5:80 weight 0 ${CHECK} ${POOL}`],
  "maint as disabled": [{ weight: 7, state: "maint" }, `10.0.0.5:80 weight 7 ${CHECK} ${POOL} disabled`],
  "a check of another port": [
    { check: { port: 81 } },
    `10.0.0.5:80 weight 100 ${CHECK.replace("check", "check port 81")} ${POOL}`,
  ],
  "no check": [{ check: { disabled: true } }, `10.0.0.5:80 weight 100 ${POOL}`],
  "a limit of connections": [{ maxconn: 9 }, `10.0.0.5:80 weight 100 ${CHECK} maxconn 9 ${POOL}`],
  "a backup": [{ backup: true }, `10.0.0.5:80 weight 100 ${CHECK} backup ${POOL}`],
  "HTTP/2": [{ proto: "h2" }, `10.0.0.5:80 weight 100 ${CHECK} proto h2 ${POOL}`],
  "TLS to an address": [
    { ssl: true },
    `10.0.0.5:80 weight 100 ${CHECK} ssl verify required ca-file @system-ca ${POOL}`,
  ],
  "TLS without verification": [
    { ssl: true, verify: "none" },
    `10.0.0.5:80 weight 100 ${CHECK} ssl verify none ${POOL}`,
  ],
  "HTTP/2 over TLS": [
    { ssl: true, proto: "h2" },
    `10.0.0.5:80 weight 100 ${CHECK} ssl verify required ca-file @system-ca alpn h2 proto h2 ${POOL}`,
  ],
  "a name": [{ address: "web.example:80" }, `web.example:80 weight 100 ${CHECK} ${POOL} ${NAME}`],
  "TLS to a name": [
    { address: "web.example:80", ssl: true },
    `web.example:80 weight 100 ${CHECK} ssl verify required ca-file @system-ca sni str(web.example) ` +
    `check-sni web.example verifyhost web.example ${POOL} ${NAME}`,
  ],
  "TLS to a name without verification": [
    { address: "web.example:80", ssl: true, verify: "none" },
    `web.example:80 weight 100 ${CHECK} ssl verify none sni str(web.example) check-sni web.example ${POOL} ${NAME}`,
  ],
  "an IPv6 address": [{ address: "[2001:db8::5]:80" }, `[2001:db8::5]:80 weight 100 ${CHECK} ${POOL}`],
};

for (const [what, [fields, params]] of Object.entries(written)) {
  Deno.test(`serverParams() writes ${what}`, () => {
    assertEquals(serverParams(serverOf({ address: "10.0.0.5:80", ...fields })), params);
  });
}

/** All lines that there may be: nothing that HAProxy could read as a quote, a variable, a comment or a new line. */
const GRAMMAR = new RegExp(
  "^server [A-Za-z0-9._:-]{1,128} " +
    "(\\d+\\.\\d+\\.\\d+\\.\\d+|\\[[0-9a-f:]+\\]|(?<name>[A-Za-z0-9_.-]+)):\\d{1,5} weight \\d{1,3}" +
    "( check( port \\d{1,5})? inter 2s fastinter 500ms downinter 1s rise 2 fall 3 observe layer4 error-limit 3 on-error mark-down)?( maxconn \\d{1,7})?" +
    "( ssl verify (none|required ca-file @system-ca)( sni str\\(\\k<name>\\) check-sni \\k<name>)?" +
    "( verifyhost \\k<name>)?( alpn h2)?)?" +
    "( proto h2)?( backup)? pool-purge-delay 5s pool-max-conn -1( init-addr none resolvers etcd-haproxy)?( disabled)?$",
);

Deno.test("serverParams() writes nothing but a fixed grammar, whatever an accepted entry holds", () => {
  let lines = 0;
  fc.assert(
    fc.property(placeName, anyEntry, (id, value) => {
      const result = parseEntry(raw(`${SERVICES}s/${id}`, value), SERVICES);
      if (!result.ok) return;
      const line = `server ${id} ${serverParams(result.value.value)}`;
      assertMatch(line, GRAMMAR);
      assertEquals(configWords(line), line.split(" "));
      lines++;
    }),
    { numRuns: 1_000 },
  );
  assert(lines > 100, `only ${lines} lines: the property says little`);
});

Deno.test("serverParams() writes every difference between two entries, but for meta and what is switched off", () => {
  const shown = (server: Server) => ({
    ...server,
    check: server.check.kind === "on" ? { ...server.check, path: undefined } : server.check,
    weight: server.state === "drain" ? 0 : server.weight,
    state: server.state === "maint" ? "maint" : "ready",
  });
  fc.assert(fc.property(goodEntry, goodEntry, (a, b) => {
    const [first, second] = [serverOf(a), serverOf(b)];
    if (Deno.inspect(shown(first)) === Deno.inspect(shown(second))) return;
    assertNotEquals(serverParams(first), serverParams(second));
  }));
});

const compared: Record<string, [params: string, expected: Partial<ReturnType<typeof comparable>>]> = {
  "an IPv4 address": ["10.0.0.5:80 weight 7", {
    address: { kind: "ip", host: "10.0.0.5", port: 80 },
    weight: 7,
  }],
  "an IPv6 address in any spelling": ["[2001:DB8:0::5]:80", {
    address: { kind: "ip", host: "2001:db8::5", port: 80 },
  }],
  "a name": ["Web.example:80", { address: { kind: "name", host: "web.example", port: 80 } }],
  "no keyword in a host that is spelled like one": [
    "disabled:443 weight 5 check ssl sni str(weight) check-sni disabled verifyhost id id 7",
    { address: { kind: "name", host: "disabled", port: 443 }, weight: 5, maint: false, id: 7 },
  ],
  "a socket as no address": ["unix@/run/web.sock", { address: undefined }],
  "a variable as no address": ['"${WEB}:80"', { address: undefined }],
  "an address without port as none": ["10.0.0.5", { address: undefined }],
  "HAProxy's own weight where none is said": ["10.0.0.5:80 check", { weight: 1 }],
  "a disabled server": ["10.0.0.5:80 disabled", { maint: true }],
  "a server that is not disabled": ["10.0.0.5:80 # disabled", { maint: false }],
  "an id": ["10.0.0.5:80 id 12", { id: 12 }],
  "no id": ["10.0.0.5:80", { id: undefined }],
};

for (const [what, [params, expected]] of Object.entries(compared)) {
  Deno.test(`comparable() reads ${what}`, () => {
    const line = comparable({ name: "a", params });
    assertEquals({ ...line, ...expected }, line);
  });
}

const idsOf = (lines: readonly ServerLine[]) =>
  new Map(
    (withServerIds(new Map([["b", lines]])).get("b") ?? []).map((line) => [line.name, comparable(line).id]),
  );
const idOf = (params: string) => idsOf([{ name: "a", params }]).get("a");

Deno.test("withServerIds() appends an id to each line and keeps one that is written", () => {
  const lines = withServerIds(
    new Map([["b", [{ name: "a", params: "10.0.0.5:80" }, {
      name: "z",
      params: "10.0.0.6:80 id 12 check",
    }]]]),
  ).get("b");
  assertMatch(lines?.[0]?.params ?? "", /^10\.0\.0\.5:80 id [1-9]\d*$/);
  assertEquals(lines?.[1], { name: "z", params: "10.0.0.6:80 id 12 check" });
});

Deno.test("withServerIds() keeps the id while only what a running server shows is changed", () => {
  const id = idOf("10.0.0.5:80 weight 100 check");
  assertEquals(idOf("10.0.0.6:81 weight 100 check"), id);
  assertEquals(idOf("10.0.0.5:80 weight 7 check"), id);
  assertEquals(idOf("10.0.0.5:80 weight 100 check disabled"), id);
});

Deno.test("withServerIds() gives another id when anything else is changed", () => {
  const id = idOf("10.0.0.5:80 weight 100 check");
  for (const params of ["10.0.0.5:80 weight 100", "10.0.0.5:80 weight 100 check port 81"]) {
    assertNotEquals(idOf(params), id);
  }
  assertNotEquals(idOf("10.0.0.5:80 maxconn 1"), idOf("10.0.0.5:80 maxconn 2"));
});

Deno.test("withServerIds() gives valid and distinct ids that no reordering changes", () => {
  const line = fc.record({
    name: placeName,
    params: goodEntry.map((value) => serverParams(serverOf(value))),
  });
  const lines = fc.uniqueArray(line, { selector: ({ name }) => name, maxLength: 20 });
  fc.assert(fc.property(
    lines.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
    ([all, shuffled]) => {
      const ids = idsOf(all);
      assertEquals(new Set(ids.values()).size, all.length);
      for (const id of ids.values()) assert(id !== undefined && id >= 1 && id < 2 ** 31, `id ${id}`);
      assertEquals([...idsOf(shuffled)].sort(), [...ids].sort());
    },
  ));
});

Deno.test("withServerIds() settles a collision alike, whatever the order of the lines", () => {
  const derived = idOf("10.0.0.5:80");
  const lines = [
    { name: "a", params: "10.0.0.5:80" },
    { name: "fixed", params: `10.0.0.6:80 id ${derived}` },
    { name: "fixed2", params: `10.0.0.6:80 id ${(derived ?? 0) + 1}` },
  ];
  const expected = new Map([["a", (derived ?? 0) + 2], ["fixed", derived], ["fixed2", (derived ?? 0) + 1]]);
  assertEquals(idsOf(lines), expected);
  assertEquals([...idsOf(lines.toReversed())].sort(), [...expected].sort());
});
