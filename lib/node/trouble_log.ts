import type { StateDirSeen } from "../haproxy/state/keeper.ts";
import { log } from "../util/log.ts";
import type { SocketHealth, SocketState } from "../reconcile/ports.ts";
import type { PassReport } from "../reconcile/reconcile.ts";

/** Logs once that the last good configuration could not be kept, and once that it could again. */
export function createLastGoodLog(): (report: PassReport) => void {
  let known: string | undefined;
  return ({ outcome }) => {
    if (outcome?.kind !== "reached" || outcome.lastGoodError === known) return;
    known = outcome.lastGoodError;
    if (known === undefined) log().info("last good config kept again");
    else log().error("last good config not kept, trying again", { reason: known });
  };
}

/** Logs once that the state directory was removed: that it was made again, or that it cannot be. */
export function logStateDir(lost: string | undefined, seen: StateDirSeen): void {
  if (seen.kind === "lost" && seen.reason !== lost) {
    log().error("state directory was removed and cannot be made again, trying on", { reason: seen.reason });
  }
  if (seen.kind === "made-again") {
    log().error("state directory was removed, made it again", { missing: seen.missing });
  }
  if (seen.kind === "there" && lost !== undefined) log().info("state directory is there again");
}

/** Logs what changed in how HAProxy answers. */
export function logSockets(before: SocketHealth, now: SocketHealth): void {
  logSocket("worker", before.worker, now.worker);
  logSocket("master", before.master, now.master);
}

function logSocket(process: keyof SocketHealth, before: SocketState, now: SocketState): void {
  if (before.kind === now.kind) return;
  if (now.kind === "answers") return log().info("haproxy answers again", { process });
  const what = now.kind === "stuck" ? "haproxy does not answer" : "socket of haproxy lost, making it anew";
  log().error(what, { process, reason: now.reason });
}
