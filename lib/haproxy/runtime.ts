import { BASE_VARIABLE } from "../config_text.ts";
import { messageOf } from "../errors.ts";
import type { Observed } from "../observed.ts";
import { parseEnv, parseServersState } from "./reply.ts";
import { ask } from "./socket.ts";

/** With many thousands of servers the answer is megabytes. */
const STATE_TIMEOUT_MS = 5_000;

/** Asks the worker behind the runtime socket what it runs. Never rejects: a worker that does not answer is `silent`. */
export async function observe(socketPath: string): Promise<Observed> {
  try {
    const env = await ask(socketPath, `show env ${BASE_VARIABLE}`);
    const state = await ask(socketPath, "show servers state", STATE_TIMEOUT_MS);
    const servers = parseServersState(state);
    if (servers === undefined) {
      return { kind: "silent", reason: `unexpected answer to "show servers state" on ${socketPath}` };
    }
    return { kind: "up", base: parseEnv(env, BASE_VARIABLE), servers };
  } catch (error) {
    return { kind: "silent", reason: messageOf(error) };
  }
}
