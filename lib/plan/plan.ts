import { type ConfigText, joinConfig, type ServerLine } from "../config/text.ts";
import type { Observed, ObservedServer, ObservedServers } from "./observed.ts";
import { type ReloadCause, reloadReason } from "./reload.ts";
import { comparable, type ComparableAddress, type ComparableServer } from "../config/server_line.ts";
import { describeStep, type Step } from "./step.ts";

/** What a pass is to do, as data that can be printed, compared and tested. */
export type Plan =
  /** HAProxy runs the desired text, and the file holds the same. */
  | { readonly kind: "nothing" }
  /** Only the file is written: HAProxy runs the desired text already, or does not run at all. */
  | { readonly kind: "write"; readonly reason: string }
  /** The file is written, and the steps are made while HAProxy runs. */
  | { readonly kind: "runtime"; readonly steps: readonly Step[] }
  | {
    readonly kind: "reload";
    readonly cause: ReloadCause;
    readonly reason: string;
    readonly steps: readonly Step[];
  };

/** The input of a plan. */
export interface PlanInput {
  readonly desired: ConfigText;
  readonly observed: Observed;
  /** The text of the file on disk; undefined when there is none. */
  readonly file: string | undefined;
  /** The revision at which the registry last changed a server; undefined when it knows no such server. */
  readonly revisionOf: (backend: string, server: string) => bigint | undefined;
  /** `reload`: never change anything at run time; `reload-once`: not this time, because steps just had no effect. */
  readonly mode: "auto" | "reload" | "reload-once";
}

/** Compares the desired text with what HAProxy runs, never with the file: a file may be written and not loaded. */
export function plan(input: PlanInput): Plan {
  const { desired, observed, file } = input;
  if (observed.kind === "starting") return { kind: "nothing" };
  if (observed.kind === "down") return writePlan(input, `HAProxy does not run: ${observed.reason}`);
  if (observed.kind === "stuck") return writePlan(input, `HAProxy does not answer: ${observed.reason}`);
  const steps = observed.kind === "up" ? serverSteps(input, observed.servers) : [];
  const reload = reloadReason({ observed, desired, steps, mode: input.mode });
  if (reload !== undefined) return { kind: "reload", cause: reload.cause, reason: reload.reason, steps };
  if (steps.length > 0) return { kind: "runtime", steps };
  if (file === joinConfig(desired)) return { kind: "nothing" };
  return { kind: "write", reason: "the file differs from what HAProxy runs" };
}

/** What a plan does, a line each, `most` lines at most: a plan can have tens of thousands of steps. */
export function describePlan(plan: Plan, most = Infinity): string[] {
  if (plan.kind === "nothing") return [];
  if (plan.kind === "write") return [`write the file: ${plan.reason}`];
  const first = plan.kind === "reload" ? [`reload: ${plan.reason}`] : [];
  return [...first, ...plan.steps.slice(0, most - first.length).map(describeStep)];
}

/** How many lines `describePlan()` has for a plan. */
export function countLines(plan: Plan): number {
  const steps = plan.kind === "runtime" || plan.kind === "reload" ? plan.steps.length : 0;
  return steps + (plan.kind === "write" || plan.kind === "reload" ? 1 : 0);
}

/** Whether steps only bring traffic to more servers, which does no harm if it is too early. */
export function onlyAdds(steps: readonly Step[]): boolean {
  return steps.every(({ kind }) => kind === "add" || kind === "ready");
}

function writePlan({ desired, file }: PlanInput, reason: string): Plan {
  return file === joinConfig(desired) ? { kind: "nothing" } : { kind: "write", reason };
}

/** The steps from what HAProxy runs to the desired lines; `only`: in these backends. */
export function serverSteps(input: PlanInput, running: ObservedServers, only?: ReadonlySet<string>): Step[] {
  const backends = [...input.desired.servers].filter(([backend]) => only?.has(backend) !== false);
  return backends.flatMap(([backend, lines]) => {
    const observed = running.get(backend) ?? new Map<string, ObservedServer>();
    const names = new Set(lines.map(({ name }) => name));
    const gone = [...observed.values()].filter(({ name }) => !names.has(name));
    return [
      ...gone.map((server) => removal(backend, server)),
      ...lines.flatMap((line) => lineSteps(input, { backend, line, running: observed.get(line.name) })),
    ];
  });
}

function removal(backend: string, { name, maint, draining, fqdn }: ObservedServer): Step {
  const reason = maint || draining ? "no entry asks for it, connections may be left" : "no entry asks for it";
  const flags = { isMaint: maint, isDraining: draining, isName: fqdn !== undefined };
  return { kind: "remove", backend, server: name, ...flags, reason };
}

function lineSteps(
  { revisionOf }: PlanInput,
  { backend, line, running }: { backend: string; line: ServerLine; running: ObservedServer | undefined },
): Step[] {
  const place = { backend, server: line.name };
  // Nearly every server needs no step, so reasons are put into words only when they are needed.
  const origin = () => {
    const revision = revisionOf(backend, line.name);
    return revision === undefined ? "the template asks for it" : `entry of revision ${revision}`;
  };
  if (running === undefined) return [{ ...place, kind: "add", line, reason: origin() }];
  const desired = comparable(line);
  if (desired.id !== undefined && desired.id !== running.id) {
    const reason = `its parameters changed, ${origin()}`;
    return [{ ...place, kind: "replace", line, isMaint: running.maint, reason }];
  }
  return changes(desired, running, { place, line, origin });
}

function changes(
  desired: ComparableServer,
  running: ObservedServer,
  about: { place: { backend: string; server: string }; line: ServerLine; origin: () => string },
): Step[] {
  const { place, line, origin } = about;
  const steps: Step[] = [];
  const { address } = desired;
  if (address !== undefined && !runsAt(address, running)) {
    const reason = `it is at ${runningHost(address, running)} port ${running.port}, ${origin()}`;
    steps.push({ ...place, kind: "address", line, address, reason });
  }
  if (desired.weight !== running.weight) {
    const reason = `it has weight ${running.weight}, ${origin()}`;
    steps.push({ ...place, kind: "weight", weight: desired.weight, reason });
  }
  if (desired.maint && !running.maint) steps.push({ ...place, kind: "maint", reason: origin() });
  if (!desired.maint && (running.maint || running.draining)) {
    const from = running.maint ? "maint" : "drain";
    steps.push({ ...place, kind: "ready", line, from, reason: `it is in ${from}, ${origin()}` });
  }
  return steps;
}

/** Whether a running server has this address; of a name only the name counts, not what it resolved to. */
export function runsAt(address: ComparableAddress, running: ObservedServer): boolean {
  return runningHost(address, running) === address.host && running.port === address.port;
}

function runningHost(address: ComparableAddress, running: ObservedServer): string | undefined {
  return address.kind === "ip" ? running.ip : running.fqdn?.toLowerCase();
}
