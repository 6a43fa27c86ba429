import { joinConfig } from "./config_text.ts";
import { ControllerError, messageOf } from "./errors.ts";
import { describeChange, type Plan, plan, type PlanInput } from "./plan.ts";
import type { Alert, HaproxyPort } from "./ports.ts";
import { serverStateText } from "./state_file.ts";

/** How far a plan got. */
export type Outcome =
  /** HAProxy was asked and runs what is wanted, or does not run and will start with it. */
  | { readonly kind: "reached" }
  /** HAProxy does not take the text; nothing was changed. */
  | { readonly kind: "refused"; readonly alerts: readonly Alert[] }
  /** The reload failed, and the file that was there before is back. */
  | { readonly kind: "reload-failed"; readonly reason: string }
  /** Something else went wrong; HAProxy goes on as it was. */
  | { readonly kind: "failed"; readonly reason: string };

export interface ApplyOptions {
  readonly haproxy: HaproxyPort;
  readonly input: PlanInput;
  /** Waits between two looks at a worker that is starting. */
  readonly wait: (ms: number) => Promise<void>;
}

const VERIFY_LOOKS = 100;
const VERIFY_EVERY_MS = 20;

/** Carries out a plan, in the only order that is safe at any moment: check, write, tell HAProxy, verify. */
export async function apply(todo: Plan, options: ApplyOptions): Promise<Outcome> {
  try {
    if (todo.kind === "nothing") return await reached(options);
    const refused = await writeConfig(options);
    if (refused !== undefined) return refused;
    if (todo.kind === "write") return await reached(options);
    return await reload(options);
  } catch (error) {
    if (error instanceof ControllerError) return { kind: "failed", reason: messageOf(error) };
    throw error;
  }
}

async function reached({ haproxy, input }: ApplyOptions): Promise<Outcome> {
  if (input.observed.kind === "up") await haproxy.keepLastGood(joinConfig(input.wanted));
  return { kind: "reached" };
}

async function writeConfig({ haproxy, input }: ApplyOptions): Promise<Outcome | undefined> {
  const staged = await haproxy.stageConfig(joinConfig(input.wanted));
  const result = await checkStaged(haproxy, staged);
  if (result.kind === "refused") return result;
  await staged.commit();
  return undefined;
}

async function checkStaged(haproxy: HaproxyPort, staged: { path: string; discard(): Promise<void> }) {
  try {
    const result = await haproxy.check(staged.path);
    if (result.kind === "refused") await staged.discard();
    return result;
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

async function reload(options: ApplyOptions): Promise<Outcome> {
  const { haproxy, input } = options;
  const servers = input.observed.kind === "up" ? input.observed.servers : undefined;
  await haproxy.writeServerState(servers && serverStateText(input.wanted, servers));
  try {
    const result = await haproxy.reload();
    if (result.kind === "failed") return await putBack(options, result.reason);
    return await verify(options);
  } finally {
    // A stale file would bring old addresses back at the next start.
    await haproxy.writeServerState(undefined);
  }
}

/** A restart of HAProxy must come up with what runs, not with what failed to load. */
async function putBack({ haproxy, input }: ApplyOptions, reason: string): Promise<Outcome> {
  if (input.file !== undefined) await (await haproxy.stageConfig(input.file)).commit();
  return { kind: "reload-failed", reason };
}

/** Asks the worker itself; right after a reload the old one may still answer. */
async function verify({ haproxy, input, wait }: ApplyOptions): Promise<Outcome> {
  let missing = "";
  for (let look = 0; look < VERIFY_LOOKS; look++) {
    const observed = await haproxy.observe();
    const left = plan({ ...input, observed, file: joinConfig(input.wanted) });
    if (left.kind === "nothing" && observed.kind === "up") {
      return await reached({ haproxy, wait, input: { ...input, observed } });
    }
    missing = left.kind === "reload" ? left.changes.map(describeChange).slice(0, 3).join("; ") : left.kind;
    await wait(VERIFY_EVERY_MS);
  }
  return { kind: "failed", reason: `HAProxy was reloaded and does not run what was asked for: ${missing}` };
}
