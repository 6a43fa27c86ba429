import type { Bind } from "../util/flag_kinds.ts";
import { probe } from "../util/probe.ts";
import { localUrl, reachableHost } from "../node/listen.ts";

const TIMEOUT_MS = 4_000;

/**
 * `etcd-haproxy health`: asks a controller on this machine whether it lives. Returns the exit code, 0 or 1. Not by
 * `fetch`, which would ask the proxy that a container's environment may name.
 */
export async function health(bind: Bind): Promise<number> {
  const target = { host: reachableHost(bind), port: bind.port, path: "/healthz" };
  if (await probe(target, AbortSignal.timeout(TIMEOUT_MS))) return 0;
  console.error(`Cannot reach the controller at ${localUrl(bind)}/healthz`);
  return 1;
}
