import { assertEquals } from "@std/assert";
import { applyGuard } from "../../../lib/guard/apply_guard.ts";
import { INITIAL_GUARD } from "../../../lib/guard/guard.ts";
import { withNext } from "../../../lib/guard/known_files.ts";
import { EMPTY_MODEL, serverKey } from "../../../lib/registry/model.ts";
import { ANY_NETWORK } from "../../../lib/registry/allowed_addresses.ts";
import { modelOf } from "../fixtures.ts";

const FOUR = modelOf({
  "s/a": "10.0.0.1:80",
  "s/b": "10.0.0.2:80",
  "s/c": "10.0.0.3:80",
  "s/d": "10.0.0.4:80",
});
const FILE = "the file";

/** The guard of a process that starts after a kill, when all servers have vanished by then. */
async function guardAfterKill(departures: readonly string[]) {
  const files = withNext([], { text: FILE, services: FOUR.services, onDisk: undefined, isGood: false });
  const record = {
    departures: departures.map((id) => ({ service: "s", id, at: 0 })),
    missingSince: new Map<string, number>(),
    files,
  };
  const { guard: { held, known } } = await applyGuard(EMPTY_MODEL, {
    state: INITIAL_GUARD,
    refusals: new Map(),
    running: { kind: "down", reason: "it has just started" },
    file: FILE,
  }, {
    guard: {
      limits: { share: 0.5, timeMs: 30_000 },
      load: () => Promise.resolve(record),
      save: () => Promise.resolve(),
    },
    haproxy: {
      readLastGood: () => Promise.resolve(FILE),
      observeBackends: () => Promise.resolve(new Map()),
    },
    networks: ANY_NETWORK,
    now: () => 1_000,
  });
  return { held: held.map(({ server }) => serverKey(server)), departures: known.departures };
}

Deno.test("applyGuard() counts a server that left and is not in the file", async () => {
  const { held, departures } = await guardAfterKill(["x"]);
  assertEquals(departures.map(({ id }) => id), ["x"]);
  assertEquals(held.length, 3);
});

Deno.test("applyGuard() counts a server once that was about to leave and is still in the file", async () => {
  const { held, departures } = await guardAfterKill(["a", "b"]);
  assertEquals(departures, []);
  assertEquals(held, ["s/c", "s/d"]);
});
