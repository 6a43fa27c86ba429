import { ADMIT_ALL } from "../../../lib/haproxy/admission.ts";
import { joinConfig } from "../../../lib/config/text.ts";
import { type GuardLimits, INITIAL_GUARD } from "../../../lib/guard/guard.ts";
import type { GuardPort, GuardRecord } from "../../../lib/guard/apply_guard.ts";
import { INITIAL_STATE, type NodeState } from "../../../lib/reconcile/state.ts";
import type { Model } from "../../../lib/registry/model.ts";
import { ANY_NETWORK } from "../../../lib/registry/allowed_addresses.ts";
import { reconcile, type ReconcilePorts } from "../../../lib/reconcile/reconcile.ts";
import type { Pass } from "../../../lib/reconcile/pass.ts";
import { compileTemplate, renderConfig } from "../../../lib/config/render.ts";
import type { RawEntry } from "../../../lib/registry/snapshot.ts";
import { HaproxyFake } from "../../support/haproxy_fake.ts";
import { PREFIXES, raw, RENDER_SETTINGS } from "../fixtures.ts";

/** The embedded template. */
export const EMBEDDED = await Deno.readTextFile(
  new URL("../../../templates/haproxy.cfg.eta", import.meta.url),
);

const noGuard = (): GuardPort => ({
  limits: undefined,
  load: () => Promise.resolve(INITIAL_GUARD),
  save: () => Promise.resolve(),
});

/** A guard that keeps its record in memory. */
function guardOf(limits: GuardLimits) {
  let record: GuardRecord = INITIAL_GUARD;
  return {
    limits,
    load: () => Promise.resolve(record),
    save: ({ departures, missingSince, files }: GuardRecord) => {
      record = { departures, missingSince, files };
      return Promise.resolve();
    },
    get record() {
      return record;
    },
  };
}

type Shown = ReturnType<typeof shown>;

/** What tests look at in a pass, side by side. */
function shown({ model, guard, observed, decision, outcome, requeue, state, drift, endedAt }: Pass) {
  const { desired, plan, pace } = decision;
  const { refusedBase } = state;
  return {
    ...{ model, held: guard.held, runningBase: observed.baseText, desired, plan, pace, outcome },
    ...{ requeue, refusedBase, drift, endedAt },
  };
}

/** A node without clock and sockets: a registry, a template and a HAProxy, all in memory. */
export class World {
  readonly haproxy = new HaproxyFake();
  template = EMBEDDED;
  now = 100_000;
  state: NodeState = INITIAL_STATE;
  /** All passes that were made, those that started over too. */
  readonly passes: Pass[] = [];
  ports: ReconcilePorts = {
    haproxy: this.haproxy,
    admission: ADMIT_ALL,
    guard: noGuard(),
    prefixes: PREFIXES,
    networks: ANY_NETWORK,
    render: (model) => Promise.resolve(this.render(model)),
    mode: "auto",
    reloadIntervalMs: 1_000,
    now: () => this.now,
    random: () => 0,
    wait: () => Promise.resolve(),
  };
  #entries = new Map<string, RawEntry>();
  #revision = 0n;

  put(place: string, value: unknown): void {
    this.#entries.set(place, raw(`/services/${place}`, value, ++this.#revision));
  }

  delete(place: string): void {
    this.#revision++;
    this.#entries.delete(place);
  }

  render(model: Model) {
    return renderConfig(model, compileTemplate(this.template), RENDER_SETTINGS);
  }

  /** Makes passes as the controller does: one that asks for it is followed by another at once. Shows the last. */
  async pass(start: { quiet?: boolean; full?: boolean } = {}): Promise<Shown> {
    const { quiet = true, full = false } = start;
    for (;;) {
      const snapshot = { revision: this.#revision, entries: [...this.#entries.values()] };
      const pass = await reconcile(snapshot, { state: this.state, quiet, full }, this.ports);
      this.passes.push(pass);
      this.state = pass.state;
      if (pass.requeue.kind !== "at-once") return shown(pass);
    }
  }

  /** Servers with what they run, without the backend's name. */
  get servers(): string[] {
    return String(this.haproxy.model).split("\n").filter((line) => line !== "").sort();
  }
}

/** A node that runs these servers, and whose HAProxy was started by it. */
export async function runningWorld(entries: Record<string, unknown> = {}): Promise<World> {
  const world = new World();
  for (const [place, value] of Object.entries(entries)) world.put(place, value);
  const empty = world.render({ revision: 0n, services: [], rejections: [], overruled: [], unknownFields: 0 });
  world.haproxy.boot(joinConfig(empty));
  await world.pass();
  await world.pass();
  world.now += 60_000;
  world.haproxy.takeEffects();
  return world;
}

/** Four servers of one service. */
export const FOUR = {
  "backend/a": "10.0.0.5:80",
  "backend/b": "10.0.0.6:80",
  "backend/c": "10.0.0.7:80",
  "backend/d": "10.0.0.8:80",
};

/** A node with a guard that serves four servers. */
export async function guardedWorld() {
  const world = await runningWorld(FOUR);
  const guard = guardOf({ share: 0.5, timeMs: 30_000 });
  world.ports = { ...world.ports, guard };
  await world.pass();
  const deleteAll = () => Object.keys(FOUR).forEach((place) => world.delete(place));
  return { world, guard, deleteAll };
}
