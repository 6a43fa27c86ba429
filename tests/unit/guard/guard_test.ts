import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Server } from "../../../lib/registry/entry.ts";
import {
  afterGuard,
  guard,
  type GuardLimits,
  type GuardState,
  INITIAL_GUARD,
} from "../../../lib/guard/guard.ts";
import { EMPTY_MODEL, serverKey } from "../../../lib/registry/model.ts";
import { modelOf } from "../fixtures.ts";

const LIMITS: GuardLimits = { share: 0.5, timeMs: 30_000 };

/** A node that writes whatever the guard lets through; addresses are derived from ids. */
class Node {
  state: GuardState = INITIAL_GUARD;
  now = 1_000;
  failed = new Set<string>();
  #entries: Record<string, unknown> = {};

  constructor(readonly limits: GuardLimits = LIMITS) {}

  put(...places: string[]): this {
    for (const place of places) this.#entries[place] = { address: addressOf(place) };
    return this;
  }

  set(place: string, value: unknown): this {
    this.#entries[place] = value;
    return this;
  }

  delete(...places: string[]): this {
    for (const place of places) delete this.#entries[place];
    return this;
  }

  /** One pass; returns what is served afterwards, held servers in parentheses. */
  pass({ inFile = true } = {}): string {
    const { now, state, limits } = this;
    const objection = (server: Server) =>
      this.failed.has(serverKey(server)) ? "its check has failed" : undefined;
    const result = guard({ model: modelOf(this.#entries), state, objection, now, limits });
    const verdict = { ...result, known: state, decidedAt: now, lookAt: undefined };
    const services = inFile ? result.model.services : undefined;
    const options = { inFile: services, timeMs: limits.timeMs };
    this.state = afterGuard({ model: result.model, guard: verdict }, options);
    this.left = result.released.map(({ server, reason }) => `${serverKey(server)}: ${reason}`);
    const held = new Set(result.held.map(({ server }) => serverKey(server)));
    return result.model.services.flatMap(({ servers }) =>
      servers.map((server) => held.has(serverKey(server)) ? `(${serverKey(server)})` : serverKey(server))
    ).join(" ");
  }

  /** Who left in the last pass, and why. */
  left: string[] = [];

  after(seconds: number): this {
    this.now += seconds * 1_000;
    return this;
  }
}

function addressOf(place: string): string {
  const sum = [...place].reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7);
  return `10.${Math.floor(sum / 65_536) % 256}.${Math.floor(sum / 256) % 256}.${sum % 256}:80`;
}

/** A node that serves these. */
function serving(...places: string[]): Node {
  const node = new Node().put(...places);
  assertEquals(node.pass(), places.join(" "));
  return node;
}

Deno.test("guard() lets half of a service go and holds the rest", () => {
  assertEquals(serving("s/a", "s/b", "s/c", "s/d").delete("s/a", "s/b", "s/c", "s/d").pass(), "(s/c) (s/d)");
  assertEquals(serving("s/a", "s/b", "s/c").delete("s/a", "s/b").pass(), "(s/b) s/c");
  assertEquals(serving("s/a", "s/b").delete("s/a", "s/b").pass(), "(s/b)");
});

Deno.test("guard() lets the only server of a service go", () => {
  assertEquals(serving("s/a", "t/b").delete("s/a").pass(), "t/b");
});

Deno.test("guard() counts departures within the window, for leases do not end in one instant", () => {
  const node = serving("s/a", "s/b", "s/c", "s/d");
  assertEquals(node.delete("s/a").pass(), "s/b s/c s/d");
  assertEquals(node.after(5).delete("s/b").pass(), "s/c s/d");
  assertEquals(node.after(5).delete("s/c").pass(), "(s/c) s/d");
  assertEquals(node.after(5).delete("s/d").pass(), "(s/c) (s/d)");
});

Deno.test("guard() holds the last of two servers although one is no longer among two", () => {
  const node = serving("s/a", "s/b");
  assertEquals(node.delete("s/a").pass(), "s/b");
  assertEquals(node.after(29).delete("s/b").pass(), "(s/b)");
});

Deno.test("guard() holds no server for longer than its time", () => {
  const node = serving("s/a", "s/b", "s/c", "s/d").delete("s/a", "s/b", "s/c", "s/d");
  assertEquals(node.pass(), "(s/c) (s/d)");
  assertEquals(node.after(29.9).pass(), "(s/c) (s/d)");
  assertEquals(node.after(0.1).pass(), "");
  assertEquals(node.left, ["s/c: --guard-time is over", "s/d: --guard-time is over"]);
  assertEquals(node.state.missingSince.size, 0);
});

Deno.test("guard() lets more go when the window has passed, who waited longest first", () => {
  const node = serving("s/a", "s/b", "s/c", "s/d");
  assertEquals(node.delete("s/a", "s/b").pass(), "s/c s/d");
  assertEquals(node.after(20).delete("s/d").pass(), "s/c (s/d)");
  assertEquals(node.after(5).delete("s/c").pass(), "(s/c) (s/d)");
  assertEquals(node.after(5).pass(), "(s/c)");
  assertEquals(node.left, ["s/d: only a few servers left"]);
});

Deno.test("guard() lets servers go whose check has failed, and holds healthy ones the more", () => {
  const node = serving("s/a", "s/b", "s/c", "s/d");
  node.failed.add("s/c").add("s/d");
  assertEquals(node.delete("s/a", "s/b", "s/c", "s/d").pass(), "(s/a) (s/b)");
  node.failed.add("s/a");
  assertEquals(node.after(1).pass(), "(s/b)");
  assertEquals(node.left, ["s/a: its check has failed"]);
});

Deno.test("guard() does not meet servers that were drained before they left", () => {
  const node = serving("s/a", "s/b", "s/c", "s/d");
  node.set("s/a", { address: addressOf("s/a"), state: "drain" })
    .set("s/b", { address: addressOf("s/b"), weight: 0 })
    .set("s/c", { address: addressOf("s/c"), state: "maint" });
  assertEquals(node.pass(), "s/a s/b s/c s/d");
  assertEquals(node.delete("s/a", "s/b", "s/c").pass(), "s/d");
  assertEquals(node.state.departures, []);
});

Deno.test("guard() holds a server whose draining did not come to HAProxy", () => {
  const node = serving("s/a", "s/b");
  node.set("s/a", { address: addressOf("s/a"), state: "drain" }).pass({ inFile: false });
  assertEquals(node.delete("s/a", "s/b").pass(), "(s/b)");
});

Deno.test("guard() lets a server go whose address is in another entry", () => {
  const node = serving("s/a", "s/b");
  node.delete("s/a", "s/b").set("s/x", { address: addressOf("s/a") }).set("t/y", {
    address: addressOf("s/b"),
  });
  assertEquals(node.pass(), "s/x t/y");
  assertEquals(node.state.departures, []);
});

Deno.test("guard() holds a server whose entry cannot be used any more", () => {
  const node = serving("s/a", "s/b").set("s/a", "nonsense").set("s/b", "nonsense");
  assertEquals(node.pass(), "(s/b)");
});

Deno.test("guard() forgets that a server was missing when its entry is back", () => {
  const node = serving("s/a", "s/b").delete("s/a", "s/b");
  assertEquals(node.pass(), "(s/b)");
  assertEquals(node.put("s/b").pass(), "s/b");
  assertEquals([node.left, node.state.missingSince.size], [[], 0]);
});

Deno.test("guard() does not count who left and came back", () => {
  const node = serving("s/a", "s/b");
  for (let round = 0; round < 3; round++) {
    assertEquals(node.delete("s/b").pass(), "s/a");
    assertEquals(node.put("s/b").pass(), "s/a s/b");
  }
  assertEquals(node.delete("s/b").pass(), "s/a");
  assertEquals(node.delete("s/a").pass(), "(s/a)");
});

Deno.test("guard() keeps the time of what is held while nothing can be written", () => {
  const node = serving("s/a", "s/b").delete("s/a", "s/b");
  assertEquals(node.pass({ inFile: false }), "(s/b)");
  assertEquals(node.after(20).pass({ inFile: false }), "(s/b)");
  assertEquals(node.after(10).pass({ inFile: false }), "");
});

Deno.test("guard() lets everything through when it knows nothing of what was served", () => {
  assertEquals(new Node().put("s/a").pass(), "s/a");
});

Deno.test("guard() leaves the model as it is when no server is missing", () => {
  const model = modelOf({ "s/a": "10.0.0.5:80" });
  const state = { ...INITIAL_GUARD, inFile: model.services };
  const result = guard({ model, state, objection: () => undefined, now: 0, limits: LIMITS });
  assertEquals([result.model === model, result.held, result.released], [true, [], []]);
  const empty = guard({
    model: EMPTY_MODEL,
    state: INITIAL_GUARD,
    objection: () => undefined,
    now: 0,
    limits: LIMITS,
  });
  assertEquals(empty.model, EMPTY_MODEL);
});

const ids = ["a", "b", "c", "d", "e", "f", "g"];
const change = fc.record({
  waitMs: fc.integer({ min: 0, max: 40_000 }),
  registered: fc.subarray(ids),
  failed: fc.subarray(ids),
});

Deno.test("guard() never lets more than its share go within any window, but for its reasons", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.constantFrom(0, 0.3, 0.5, 1), (changes, share) => {
      const limits = { share, timeMs: 30_000 };
      const node = new Node(limits).put(...ids.map((id) => `s/${id}`));
      node.pass();
      let served = new Set(ids);
      let gone: { id: string; at: number }[] = [];
      const missingSince = new Map<string, number>();
      for (const { waitMs, registered, failed } of changes) {
        node.now += waitMs;
        node.delete(...ids.map((id) => `s/${id}`)).put(...registered.map((id) => `s/${id}`));
        node.failed = new Set(failed.map((id) => `s/${id}`));
        const after = new Set(node.pass().replace(/[()]|s\//g, "").split(" ").filter((id) => id !== ""));
        for (const id of registered) {
          assert(after.has(id), `${id} is registered and must be served`);
          missingSince.delete(id);
        }
        gone = gone.filter(({ id, at }) => node.now - at < limits.timeMs && !registered.includes(id));
        const size = served.size + gone.length;
        const left = [...served].filter((id) => !after.has(id));
        const excused = left.filter((id) =>
          failed.includes(id) || node.now - (missingSince.get(id) ?? node.now) >= limits.timeMs
        );
        if (left.length > excused.length && size > 1) {
          assert(gone.length + left.length <= Math.floor(size * share), "more left than may");
        }
        for (const id of after) {
          if (registered.includes(id)) continue;
          assert(!failed.includes(id), `${id} failed and must go`);
          assert(node.now - (missingSince.get(id) ?? node.now) < limits.timeMs, `${id} is held for too long`);
          missingSince.set(id, missingSince.get(id) ?? node.now);
        }
        left.forEach((id) => missingSince.delete(id));
        gone.push(...left.map((id) => ({ id, at: node.now })));
        served = after;
      }
    }),
  );
});
