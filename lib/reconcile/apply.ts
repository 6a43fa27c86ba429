import { candidatesOf } from "../plan/probe_targets.ts";
import { addedBinds } from "../config/section.ts";
import { joinConfig } from "../config/text.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { Observed, ObservedServers } from "../plan/observed.ts";
import { describePlan, type Plan, plan, type PlanInput, serverSteps } from "../plan/plan.ts";
import type { Admission, AdmissionRound, Alert, HaproxyPort } from "./ports.ts";
import { findServer, type Model } from "../registry/model.ts";
import { serverStateText } from "../plan/state_file.ts";
import type { Step } from "../plan/step.ts";

/** How far a plan got. */
export type Outcome = Reached | Refused | Failed;

/** HAProxy runs what is desired, or does not run and will start with it. */
export interface Reached {
  readonly kind: "reached";
  /** What HAProxy was seen to run afterwards. */
  readonly observed: Observed;
  /** How many removed servers still hold requests. */
  readonly pending: number;
  /** Why the last good copy could not be written. That does not change what is served. */
  readonly lastGoodError?: string;
}

/** HAProxy does not accept the text. Nothing was changed. */
export interface Refused {
  readonly kind: "refused";
  readonly alerts: readonly Alert[];
}

/**
 * - `incomplete`: steps at run time had no effect, and a reload is next
 * - `vetoed`: a reload would have failed, so it was not tried, and nothing was changed
 * - `reload-failed`: the file that was there before is back
 * - `failed`: something else went wrong, and HAProxy runs what it ran before
 */
export interface Failed {
  readonly kind: "incomplete" | "vetoed" | "reload-failed" | "failed";
  readonly reason: string;
}

/** Why an outcome is not the wanted one; undefined when it is. */
export function failureOf(outcome: Outcome): string | undefined {
  if (outcome.kind === "reached") return undefined;
  if (outcome.kind === "refused") return outcome.alerts.map(({ message }) => message).join("; ");
  return outcome.reason;
}

/** The purpose of a plan, and the ports to carry it out with. */
export interface ApplyOptions {
  /** What the plan was made from. */
  readonly input: PlanInput;
  /** What the registry asks for: it tells how servers are probed. */
  readonly model: Model;
  /** The base that HAProxy runs now, if its text is known. */
  readonly runningBase: string | undefined;
  readonly haproxy: HaproxyPort;
  readonly admission: Admission;
  /** Waits between two looks at a worker that is starting. */
  readonly wait: (ms: number) => Promise<void>;
}

const VERIFY_LOOKS = 100;
const VERIFY_EVERY_MS = 20;
/** Steps without effect are planned again once. */
const RUNTIME_ROUNDS = 2;

/** Carries out a plan, in the only order that is safe at any moment: check, write, tell HAProxy, verify. */
export async function apply(todo: Plan, options: ApplyOptions): Promise<Outcome> {
  const { input, model, admission } = options;
  try {
    if (todo.kind === "nothing") return await reached(options, input.observed);
    if (todo.kind === "write") return await write(options) ?? await reached(options, input.observed);
    const pathOf = (backend: string, server: string) => checkPathOf(model, backend, server);
    const round = admission.begin(candidatesOf(todo.steps, pathOf));
    return todo.kind === "runtime" ? await change(todo.steps, round, options) : await reload(round, options);
  } catch (error) {
    if (error instanceof ControllerError) return { kind: "failed", reason: messageOf(error) };
    throw error;
  }
}

function checkPathOf(model: Model, backend: string, server: string): string | undefined {
  const check = findServer(model, backend, server)?.check;
  return check?.kind === "on" ? check.path : undefined;
}

async function reached({ haproxy, input }: ApplyOptions, observed: Observed, pending = 0): Promise<Outcome> {
  if (observed.kind !== "up") return { kind: "reached", observed, pending };
  try {
    await haproxy.keepLastGood(joinConfig(input.desired));
    return { kind: "reached", observed, pending };
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error;
    return { kind: "reached", observed, pending, lastGoodError: messageOf(error) };
  }
}

/** Checks and writes the file; returns an outcome only when it is refused. */
async function write({ haproxy, input }: ApplyOptions): Promise<Outcome | undefined> {
  const staged = await haproxy.stageConfig(joinConfig(input.desired));
  try {
    const result = await haproxy.check(staged.path);
    if (result.kind === "valid") return void await staged.commit();
    await staged.discard();
    return result;
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/** HAProxy gets the same lines as the file: if it accepts them, the file is valid. */
async function change(
  steps: readonly Step[],
  round: AdmissionRound,
  options: ApplyOptions,
): Promise<Outcome> {
  const { haproxy, input } = options;
  const text = joinConfig(input.desired);
  if (input.file !== text) await (await haproxy.stageConfig(text)).commit();
  const unready = await round.unready();
  const errors: string[] = [];
  let left = steps;
  for (let attempt = 0; attempt < RUNTIME_ROUNDS && left.length > 0; attempt++) {
    const result = await haproxy.change(left, unready);
    errors.push(...result.errors);
    const look = await lookAgain(steps, options);
    left = look.left;
    if (left.some(({ kind }) => kind !== "remove")) continue;
    round.confirm();
    return await reached(options, look.observed, left.length);
  }
  // Servers that were added get no request until they are brought up.
  if (left.length < steps.length) round.confirm();
  const reason = [`${left.length} steps had no effect`, ...errors.slice(0, 3)].join(": ");
  return { kind: "incomplete", reason };
}

/** The steps that are left in the touched backends, by what HAProxy reports of them now. */
async function lookAgain(steps: readonly Step[], { haproxy, input }: ApplyOptions) {
  const touched = [...new Set(steps.map(({ backend }) => backend))];
  const seen = await haproxy.observeBackends(touched);
  const observed = withBackends(input.observed, seen, touched);
  return { observed, left: serverSteps(input, seen, new Set(touched)) };
}

function withBackends(observed: Observed, seen: ObservedServers, backends: readonly string[]): Observed {
  if (observed.kind !== "up") return observed;
  const servers = new Map(observed.servers);
  backends.forEach((backend) => servers.set(backend, seen.get(backend) ?? new Map()));
  return { ...observed, servers };
}

async function reload(round: AdmissionRound, options: ApplyOptions): Promise<Outcome> {
  const { haproxy, input } = options;
  const taken = await bindProblem(options);
  if (taken !== undefined) return { kind: "vetoed", reason: taken };
  const refused = await write(options);
  if (refused !== undefined) return refused;
  const unready = await round.unready();
  // The health of now: the last full look may be half a minute old.
  const now = await haproxy.observe();
  await haproxy.writeServerState(
    serverStateText(input.desired, now.kind === "up" ? now.servers : new Map(), unready),
  );
  try {
    const result = await haproxy.reload();
    if (result.kind === "failed") return await putBack(options, result.reason);
    const outcome = await verify(options);
    if (outcome.kind === "reached") round.confirm();
    return outcome;
  } finally {
    // A stale file would bring old addresses back at the next start.
    await haproxy.writeServerState(undefined);
  }
}

/**
 * A reload fails late if another process has an address of the new text, and clients are refused for seconds meanwhile,
 * because `haproxy -c` does not bind. So a new address is tried first.
 */
async function bindProblem({ haproxy, input, runningBase }: ApplyOptions): Promise<string | undefined> {
  if (runningBase === undefined) return undefined;
  for (const address of addedBinds(runningBase, input.desired.base)) {
    const problem = await haproxy.tryBind(address);
    if (problem !== undefined) return `Cannot bind ${address}: ${problem}`;
  }
  return undefined;
}

/** A restart of HAProxy must start the text that runs, not the text that failed to load. */
async function putBack({ haproxy, input }: ApplyOptions, reason: string): Promise<Outcome> {
  const text = await haproxy.readLastGood() ?? input.file;
  if (text !== undefined) await (await haproxy.stageConfig(text)).commit();
  return { kind: "reload-failed", reason };
}

/** Asks the worker itself; right after a reload the old one may still answer. */
async function verify(options: ApplyOptions): Promise<Outcome> {
  const { haproxy, input, wait } = options;
  let missing: string[] = [];
  for (let look = 0; look < VERIFY_LOOKS; look++) {
    const observed = await haproxy.observe();
    const left = plan({ ...input, observed, file: joinConfig(input.desired) });
    if (left.kind === "nothing" && observed.kind === "up") return await reached(options, observed);
    missing = describePlan(left).slice(0, 3);
    await wait(VERIFY_EVERY_MS);
  }
  return {
    kind: "failed",
    reason: `HAProxy was reloaded and does not run the new configuration: ${missing.join("; ")}`,
  };
}
