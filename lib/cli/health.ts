import type { Bind } from "../util/flag_kinds.ts";
import { probe } from "../util/probe.ts";
import { localUrl, reachableHost } from "../node/listen.ts";

const TIMEOUT_MS = 4_000;

/**
 * `etcd-haproxy health`: checks that the local controller is alive. Returns the exit code, 0 or 1. It does not use
 * `fetch`, which would go through a proxy that the environment of a container may name.
 */
export async function health(bind: Bind): Promise<number> {
  const target = { host: reachableHost(bind), port: bind.port, path: "/healthz" };
  if (await probe(target, AbortSignal.timeout(TIMEOUT_MS))) return 0;
  console.error(`Cannot reach the controller at ${localUrl(bind)}/healthz`);
  return 1;
}
