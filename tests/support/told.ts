import type { ProblemKind } from "../../lib/node/problems.ts";

/** What a controller logs when a problem begins; it logs each once. A problem without a line cannot be waited for. */
const BEGINNINGS: Partial<Readonly<Record<ProblemKind, RegExp>>> = {
  "haproxy-down": /haproxy ended, restarting it|haproxy does not run, waiting for it/,
  "worker-stuck": /haproxy does not answer process=worker/,
  "master-stuck": /haproxy does not answer(?:, waiting for it| process=master)/,
  "runtime-socket-lost": /haproxy socket missing.* process=worker/,
  "master-socket-lost": /haproxy socket missing.* process=master/,
  "state-dir-lost": /state directory was removed and cannot be recreated/,
  "etcd-lost": /waiting for etcd|watch ended/,
  "servers-held": /holding servers: /,
};

/**
 * Whether one of these log lines tells that a problem has begun, be it over by now or not.
 *
 * @throws {Error} for a problem that no line tells of
 */
export function tellsOf(lines: readonly string[], kind: ProblemKind, reason = ""): boolean {
  const beginning = BEGINNINGS[kind];
  if (beginning === undefined) {
    throw new Error(`Cannot wait for ${kind}: no log line is known that tells of it`);
  }
  return lines.some((line) => beginning.test(line) && line.includes(reason));
}
