import { baseDigest, type ConfigText, joinConfig, type ServerLine } from "./config_text.ts";
import type { Observed, ObservedServer } from "./observed.ts";
import { comparable, type ComparableAddress } from "./server_line.ts";

/** One difference between what is wanted and what HAProxy runs, with its reason in words. */
export type Change =
  | { readonly kind: "base"; readonly reason: string }
  | ServerChange;

/** A difference of one server. */
export interface ServerChange {
  readonly kind: "add" | "remove" | "address" | "weight" | "maint" | "ready" | "parameters";
  readonly backend: string;
  readonly server: string;
  readonly reason: string;
}

/** What a pass does. Data only: it can be printed, compared and tested. */
export type Plan =
  /** HAProxy runs what is wanted, and the file says the same. */
  | { readonly kind: "nothing" }
  /** Only the file is written: HAProxy runs what is wanted already, or does not run at all. */
  | { readonly kind: "write"; readonly reason: string }
  | { readonly kind: "reload"; readonly changes: readonly Change[] };

/** What a plan is made from. */
export interface PlanInput {
  readonly wanted: ConfigText;
  readonly observed: Observed;
  /** The file as it stands on disk; undefined when there is none. */
  readonly file: string | undefined;
  /** The revision at which the registry last changed a server; undefined when it knows no such server. */
  readonly revisionOf: (backend: string, server: string) => bigint | undefined;
}

/** Compares what is wanted with what HAProxy runs, never with the file: a file may have been written and not loaded. */
export function plan(input: PlanInput): Plan {
  const { wanted, observed, file } = input;
  if (observed.kind === "down") return writePlan(input, `HAProxy does not run: ${observed.reason}`);
  if (observed.kind === "silent") {
    return {
      kind: "reload",
      changes: [{ kind: "base", reason: `the runtime socket does not answer: ${observed.reason}` }],
    };
  }
  const changes = [...baseChanges(wanted, observed.base), ...serverChanges(input, observed.servers)];
  if (changes.length > 0) return { kind: "reload", changes };
  if (file === joinConfig(wanted)) return { kind: "nothing" };
  return { kind: "write", reason: "the file differs from what HAProxy runs" };
}

/** A change on one line. */
export function describeChange(change: Change): string {
  if (change.kind === "base") return `base: ${change.reason}`;
  return `${change.kind} server ${change.backend}/${change.server}: ${change.reason}`;
}

function writePlan({ wanted, file }: PlanInput, reason: string): Plan {
  return file === joinConfig(wanted) ? { kind: "nothing" } : { kind: "write", reason };
}

function baseChanges({ base }: ConfigText, running: string | undefined): Change[] {
  const digest = baseDigest(base);
  if (digest === running) return [];
  const from = running === undefined ? "none of ours" : running.slice(0, 12);
  return [{ kind: "base", reason: `HAProxy runs ${from}, wanted is ${digest.slice(0, 12)}` }];
}

function serverChanges(
  input: PlanInput,
  running: ReadonlyMap<string, ReadonlyMap<string, ObservedServer>>,
): Change[] {
  return [...input.wanted.servers].flatMap(([backend, lines]) => {
    const observed = running.get(backend) ?? new Map<string, ObservedServer>();
    const wanted = new Set(lines.map(({ name }) => name));
    const removed = [...observed.keys()].filter((name) => !wanted.has(name)).map((server): ServerChange => ({
      kind: "remove",
      backend,
      server,
      reason: "no entry asks for it",
    }));
    return [
      ...removed,
      ...lines.flatMap((line) => lineChanges(input, { backend, line, running: observed.get(line.name) })),
    ];
  });
}

interface Pair {
  readonly backend: string;
  readonly line: ServerLine;
  readonly running: ObservedServer | undefined;
}

function lineChanges(input: PlanInput, { backend, line, running }: Pair): ServerChange[] {
  const place = { backend, server: line.name };
  const revision = input.revisionOf(backend, line.name);
  if (running === undefined) {
    const reason = revision === undefined ? "the template asks for it" : `entry of revision ${revision}`;
    return [{ ...place, kind: "add", reason }];
  }
  const wanted = comparable(line);
  const changes: ServerChange[] = [];
  const changed = (kind: ServerChange["kind"], from: unknown, to: unknown) => {
    const since = revision === undefined ? "" : `, entry of revision ${revision}`;
    changes.push({ ...place, kind, reason: `${from} is to be ${to}${since}` });
  };
  if (wanted.id !== undefined && wanted.id !== running.id) {
    changed("parameters", `id ${running.id}`, `id ${wanted.id}`);
  }
  const { address } = wanted;
  if (address !== undefined && !runsAt(address, running)) {
    changed(
      "address",
      `${runningHost(address, running)} port ${running.port}`,
      `${address.host} port ${address.port}`,
    );
  }
  if (wanted.weight !== running.weight) changed("weight", running.weight, wanted.weight);
  if (wanted.maint && !running.maint) changed("maint", "ready", "maint");
  if (!wanted.maint && running.maint) changed("ready", "maint", "ready");
  return changes;
}

/** Whether a running server has this address; of a name only the name counts, not what it resolved to. */
export function runsAt(address: ComparableAddress, running: ObservedServer): boolean {
  return runningHost(address, running) === address.host && running.port === address.port;
}

function runningHost(address: ComparableAddress, running: ObservedServer): string | undefined {
  return address.kind === "ip" ? running.ip : running.fqdn?.toLowerCase();
}
