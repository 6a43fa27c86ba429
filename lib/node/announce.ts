import { NOTHING_URGENT, withSeen } from "../ack/urgent.ts";
import { drainingServers, keptAway } from "../ack/draining.ts";
import { createBell } from "../util/bell.ts";
import { ControllerError } from "../util/errors.ts";
import type { NodePublisher } from "../ack/publisher.ts";
import { showProcesses } from "../haproxy/master_cli.ts";
import { usedByOldWorker, usedServers } from "../haproxy/requests.ts";
import type { StateDir } from "../haproxy/state/dir.ts";
import type { StateFiles } from "../haproxy/state/files.ts";
import { ownStatus } from "./own_status.ts";
import type { Prefixes } from "../registry/model.ts";
import type { HaproxyState } from "../reconcile/ports.ts";
import type { Pass } from "../reconcile/pass.ts";
import { sleep } from "../util/time.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import type { NodeFacts } from "./facts.ts";
import { NOTHING_VERIFIED, reachedBy, withApplied, withLook } from "../ack/applied.ts";
import { createIdleLimit } from "./idle_limit.ts";

/** What the publishing works with. */
export interface NodeKeysOptions {
  readonly publisher: NodePublisher;
  readonly instance: () => string;
  readonly dir: StateDir;
  readonly files: StateFiles;
  readonly prefixes: Prefixes;
  /** HAProxy is started and stopped by others. */
  readonly attached: boolean;
  /** Whether a snapshot has everything up to its revision. */
  readonly isSynced: () => boolean;
  readonly haproxy: () => HaproxyState;
  /** What is known about the node; with `health` HAProxy is asked for the health of its servers. */
  readonly facts: (options: { readonly health: boolean }) => Promise<NodeFacts>;
  /** Where the admin endpoints are. */
  readonly admin: string;
}

/** Publishes what this node is verified to serve. */
export interface NodeKeys {
  /** The next pass starts from this snapshot. */
  onSnapshot(snapshot: Snapshot): void;
  onPass(pass: Pass): void;
  /** Publishes what passes reach, until the signal is aborted. Then the keys stay as they are. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Removes the keys, once HAProxy has ended: until then a stopping backend has to wait for this node. */
  end(): Promise<void>;
}

/** How often HAProxy is checked while old workers or running requests have to end: often at first. */
const LOOK = { minMs: 50, maxMs: 1_000 };
/** How many checks come at the shorter interval. */
const PATIENCE_LOOKS = 40;
/** How often the status is made without a pass, because health changes too: soon after a pass, then less often. */
const REFRESH = { minMs: 500, maxMs: 10_000 };
/** Asking HAProxy for the health of all servers costs it time. */
const HEALTH_EVERY_MS = 2_000;
/** A longer list would not fit into a value: then the revision waits. */
const MAX_DRAINING = 200;
/** For how long an answer about drained servers is used again. */
const REASK_MS = 1_000;
const STOP_LIMIT_MS = 2_000;

/** Creates the publishing of one node. Nothing is written before `run()`. */
export function createNodeKeys(options: NodeKeysOptions): NodeKeys {
  const { publisher, dir, attached, prefixes } = options;
  const idleLimit = createIdleLimit(dir.idleLimit, options.files);
  const drains = createDrains(options);
  const bell = createBell();
  let urgent = NOTHING_URGENT;
  let verification = NOTHING_VERIFIED;
  let last: Pass | undefined;
  /** The newest urgent revision that this pass had seen. */
  let urgentThen = 0n;
  let isNew = false;
  let healthDueAt = 0;
  let published: bigint | undefined;

  const look = async (): Promise<void> => {
    const isUp = options.haproxy().kind === "up";
    const passed = isNew && options.isSynced() ? last : undefined;
    isNew = isNew && passed === undefined;
    const oldWorkers = isUp ? (await showProcesses(dir.masterSocket)).oldWorkers.map(({ pid }) => pid) : [];
    const isAlone = isUp && oldWorkers.length === 0;
    const idleMs = last && await idleLimit(basesOf(last), { isAlone });
    const seen = { oldWorkers, now: performance.now(), idleMs };
    const revision = passed && reachedBy(passed, { attached });
    verification = revision === undefined
      ? withLook(verification, seen)
      : withApplied(verification, { revision, urgent: urgentThen }, seen);
    if (last !== undefined && isUp) await drains.look(last, oldWorkers);
  };

  const tell = async (): Promise<void> => {
    const since = drains.since();
    // A draining server that is not listed must not be missed.
    if (since.size <= MAX_DRAINING) published = verification.verified;
    const draining = [...since.keys()].slice(0, MAX_DRAINING);
    const health = performance.now() >= healthDueAt;
    if (health) healthDueAt = performance.now() + HEALTH_EVERY_MS;
    const status = ownStatus(await options.facts({ health }), {
      instance: options.instance(),
      revision: published ?? 0n,
      draining,
      admin: options.admin,
      now: Date.now(),
    });
    publisher.offer({ applied: published, urgent: verification.urgent, status, drainingSince: since });
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    for (let looks = 0; !signal.aborted;) {
      looks = isNew ? 0 : looks + 1;
      const isAnswered = await succeeds(look);
      if (!isAnswered && last !== undefined) isNew = true;
      if (signal.aborted) return;
      await tell();
      const isOver = isAnswered && !isNew && verification.blocked.length === 0 && drains.since().size === 0;
      const ms = isOver
        ? Math.min(REFRESH.maxMs, REFRESH.minMs * 2 ** Math.min(looks, 10))
        : looks < PATIENCE_LOOKS
        ? LOOK.minMs
        : LOOK.maxMs;
      await sleep(LOOK.minMs, signal);
      await bell.wait(ms - LOOK.minMs, signal);
    }
  };

  return {
    onSnapshot: (snapshot) => urgent = withSeen(urgent, snapshot, prefixes),
    onPass: (next) => {
      last = next;
      urgentThen = urgent.revision;
      isNew = true;
      bell.ring();
    },
    run,
    end: () => publisher.stop(STOP_LIMIT_MS),
  };
}

/** Whether HAProxy answered. Other errors are bugs. */
async function succeeds(look: () => Promise<void>): Promise<boolean> {
  try {
    await look();
    return true;
  } catch (error) {
    if (error instanceof ControllerError) return false;
    throw error;
  }
}

/** The bases that HAProxy ran when a pass began, and that it was brought to. */
function basesOf({ observed: { baseText }, decision: { desired } }: Pass): string[] {
  return [desired.config.base, ...(baseText === undefined ? [] : [baseText])];
}

/** Which servers drain, and since when. */
function createDrains({ dir }: Pick<NodeKeysOptions, "dir">) {
  let since = new Map<string, number>();
  let last = { question: "", at: -Infinity };
  return {
    since: (): ReadonlyMap<string, number> => since,
    look: async (pass: Pass, oldWorkers: readonly number[]): Promise<void> => {
      const away = keptAway(pass);
      const now = performance.now();
      const question = [...away.idleOrDraining, ...oldWorkers].join();
      // Servers that stay drained need no question at each pass.
      const isKnown = since.size === 0 && away.stillServing.length === 0 && question === last.question;
      if (isKnown && now - last.at < REASK_MS) return;
      const used = {
        now: await usedServers(dir, away.backends),
        byOldWorkers: (await Promise.all(oldWorkers.map((pid) => usedByOldWorker(dir.masterSocket, pid))))
          .flat(),
      };
      last = { question, at: now };
      since = new Map(drainingServers(away, used).map((server) => [server, since.get(server) ?? now]));
    },
  };
}
