import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { buildModel, countServers, type Model, type Refusals } from "../../../lib/registry/model.ts";
import { ANY_NETWORK, type Networks } from "../../../lib/registry/allowed_addresses.ts";
import type { RawEntry } from "../../../lib/registry/snapshot.ts";
import { anyKey, anyValue } from "../arbitraries.ts";
import { modelOf, OVERRIDES, PREFIXES, raw, SERVICES } from "../fixtures.ts";

const shape = ({ services }: Model) =>
  services.map(({ name, servers }) => `${name}: ${servers.map(({ id }) => id).join(" ")}`);
const first = (model: Model) => model.services[0]?.servers[0];

Deno.test("buildModel() sorts services and servers by bytes", () => {
  const model = modelOf({
    "shop/b": "10.0.0.1:80",
    "Zoo/a": "10.0.0.2:80",
    "shop/a10": "10.0.0.3:80",
    "shop/a9": "10.0.0.4:80",
    "shop/B": "10.0.0.5:80",
  });
  assertEquals(shape(model), ["Zoo: a", "shop: B a10 a9 b"]);
  assertEquals(countServers(model), 5);
});

Deno.test("buildModel() serves two ids with one address both", () => {
  assertEquals(shape(modelOf({ "s/a": "10.0.0.1:80", "s/b": "10.0.0.1:80" })), ["s: a b"]);
});

Deno.test("buildModel() leaves out a bad entry alone, with its key, reason and revision", () => {
  const entries = [raw("/services/s/a", "10.0.0.1:80"), raw("/services/s/\xff", "10.0.0.2:80", 4n)];
  const model = buildModel({ revision: 9n, entries }, PREFIXES);
  assertEquals(shape(model), ["s: a"]);
  assertEquals(model.rejections, [{
    key: "/services/s/\xff",
    reason: "id is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -",
    revision: 4n,
  }]);
});

Deno.test("buildModel() has no service whose entries are all rejected", () => {
  assertEquals(shape(modelOf({ "s/a": "0.0.0.0:80" })), []);
});

Deno.test("buildModel() ignores keys below other prefixes, settings that have no schema yet included", () => {
  const keys = ["/services2/s/a", "/service/s/a", "/haproxy/settings/backends/s", "/haproxy/nodes/n/applied"];
  const model = buildModel({ revision: 9n, entries: keys.map((key) => raw(key, "?")) }, PREFIXES);
  assertEquals(model, { revision: 9n, services: [], rejections: [], overruled: [], unknownFields: 0 });
});

const ENTRY = { address: "10.0.0.1:80", weight: 50, state: "drain" };
const overridden: Record<string, [override: unknown, state: string, weight: number]> = {
  "both fields": [{ state: "ready", weight: 7 }, "ready", 7],
  "a state alone": [{ state: "maint" }, "maint", 50],
  "a weight of 0": [{ weight: 0 }, "drain", 0],
  "nothing": [{}, "drain", 50],
};

for (const [what, [override, state, weight]] of Object.entries(overridden)) {
  Deno.test(`buildModel() lets an override of ${what} win over the entry`, () => {
    const server = first(modelOf({ "s/a": ENTRY }, { "s/a": override }));
    assertEquals({ state: server?.state, weight: server?.weight }, { state, weight });
  });
}

Deno.test("buildModel() applies an override to its own server only, and none to a server that is not there", () => {
  const model = modelOf({ "s/a": ENTRY, "t/a": ENTRY }, { "s/a": { weight: 1 }, "s/b": { weight: 2 } });
  assertEquals(model.services.map(({ servers }) => servers.map(({ weight }) => weight)), [[1], [50]]);
});

Deno.test("buildModel() names servers that an override keeps serving though their entry asks for no new request", () => {
  const entries = { "s/a": ENTRY, "s/b": ENTRY, "s/c": { ...ENTRY, state: "ready" }, "s/d": ENTRY };
  const overrides = { "s/a": { state: "ready" }, "s/b": { weight: 7 }, "s/c": { state: "ready" } };
  assertEquals(modelOf(entries, overrides).overruled, ["s/a"]);
  assertEquals(modelOf(entries).overruled, []);
});

Deno.test("buildModel() rejects a bad override and serves the entry as it is", () => {
  const model = modelOf({ "s/a": ENTRY }, { "s/a": { state: "off" } });
  assertEquals(first(model)?.state, "drain");
  assertEquals(model.rejections.map(({ key }) => key), [`${OVERRIDES}s/a`]);
});

Deno.test("buildModel() gives a server the newer revision of entry and override", () => {
  const revisionOf = (entry: bigint, override: bigint) => {
    const entries = [raw("/services/s/a", ENTRY, entry), raw(`${OVERRIDES}s/a`, { weight: 1 }, override)];
    return first(buildModel({ revision: 9n, entries }, PREFIXES))?.revision;
  };
  assertEquals([revisionOf(3n, 5n), revisionOf(6n, 5n)], [5n, 6n]);
});

Deno.test("buildModel() adds up the unknown fields of entries and overrides", () => {
  assertEquals(modelOf({ "s/a": { ...ENTRY, zone: 1 } }, { "s/a": { until: 1, by: "me" } }).unknownFields, 3);
});

Deno.test("buildModel() turns a refused entry into a rejection, for as long as the entry stays the same", () => {
  const refusals: Refusals = new Map([["s/a", { revision: 3n, reason: "HAProxy refuses it: no such CA" }]]);
  const at = (revision: bigint) =>
    buildModel({ revision: 9n, entries: [raw("/services/s/a", ENTRY, revision)] }, PREFIXES, { refusals });
  assertEquals(shape(at(3n)), []);
  assertEquals(at(3n).rejections, [{
    key: `${SERVICES}s/a`,
    reason: "HAProxy refuses it: no such CA",
    revision: 3n,
  }]);
  assertEquals(shape(at(4n)), ["s: a"]);
  assertEquals(at(4n).rejections, []);
});

Deno.test("buildModel() gives equal models for any order of entries, and loses none", () => {
  const entry = fc.record({
    key: fc.oneof(anyKey(SERVICES), anyKey(OVERRIDES)),
    value: anyValue,
    modRevision: fc.bigInt({ min: 1n, max: 9n }),
    hasLease: fc.constant(true),
  });
  const entries = fc.uniqueArray(entry, { selector: ({ key }) => key, maxLength: 12 });
  fc.assert(fc.property(
    entries.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
    ([all, shuffled]) => {
      const model = modelAt(all);
      assertEquals(modelAt(shuffled), model);
      const seen = all.filter(({ key }) => key.startsWith(SERVICES)).length;
      const rejected = model.rejections.filter(({ key }) => key.startsWith(SERVICES)).length;
      assertEquals(countServers(model) + rejected, seen);
    },
  ));
});

function modelAt(entries: readonly RawEntry[]): Model {
  return buildModel({ revision: 9n, entries }, PREFIXES);
}

Deno.test("buildModel() survives a snapshot of ten thousand entries of one service", () => {
  const entries = Array.from({ length: 10_000 }, (_, n) => [`s/${n}`, `10.0.${n >> 8}.${n & 255}:80`]);
  assertEquals(countServers(modelOf(Object.fromEntries(entries))), 10_000);
});

Deno.test("buildModel() names the prefix of the key in a refused entry's rejection", () => {
  const entries = [raw("/shop/s/a", "10.0.0.1:80", 2n)];
  const refusals = new Map([["s/a", { revision: 2n, reason: "no" }]]);
  const model = buildModel({ revision: 9n, entries }, { ...PREFIXES, services: "/shop/" }, { refusals });
  assertStringIncludes(model.rejections[0]?.key ?? "", "/shop/s/a");
});

Deno.test("buildModel() rejects an address that may not be registered, by the policy of the moment", () => {
  const entries = [raw("/services/s/a", "10.0.0.1:80", 3n), raw("/services/s/b", "169.254.169.254:80", 4n)];
  const ownPort = { ...ANY_NETWORK, listeners: [{ flag: "--bind", ip: "10.0.0.1", port: 80 }] };
  const build = (networks: Networks) => buildModel({ revision: 9n, entries }, PREFIXES, { networks });
  const everything = { ...ANY_NETWORK, allowed: [{ ip: "0.0.0.0", prefixLength: 0 }] };
  assertEquals(shape(build(everything)), ["s: a b"]);
  assertEquals(shape(build(ANY_NETWORK)), ["s: a"]);
  assertEquals(build(ANY_NETWORK).rejections, [{
    key: "/services/s/b",
    reason: "address 169.254.169.254 is link-local, which only --server-networks can allow",
    revision: 4n,
  }]);
  assertEquals(shape(build(ownPort)), []);
  assertEquals(shape(build(everything)), ["s: a b"]);
});
