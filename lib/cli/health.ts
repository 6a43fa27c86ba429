import { escapeText } from "../escape.ts";
import { messageOf } from "../errors.ts";
import type { Bind } from "../options.ts";
import { localUrl } from "./listen.ts";

const TIMEOUT_MS = 4_000;

/** `etcd-haproxy health`: asks a controller on this machine whether it lives. Returns the exit code, 0 or 1. */
export async function health(bind: Bind): Promise<number> {
  const url = `${localUrl(bind)}/healthz`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    await response.body?.cancel();
    if (response.ok) return 0;
    console.error(`Cannot call the controller healthy: ${url} answered ${response.status}`);
  } catch (error) {
    console.error(`Cannot reach the controller at ${url}: ${escapeText(messageOf(error))}`);
  }
  return 1;
}
