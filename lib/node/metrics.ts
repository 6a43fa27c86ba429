import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Pass } from "../reconcile/pass.ts";
import type { NodeEvent } from "./events.ts";
import { type NodeFacts, oldWorkersOf, pendingOf, readinessOf, serverCounts } from "./facts.ts";
import { PROBLEM_KINDS, type ProblemKind, problemsOf } from "./problems.ts";

/** Counters and gauges of a node, in the Prometheus format. */
export interface Metrics {
  onPass(pass: Pass): void;
  /** Counts failures and reloads. */
  onEvents(events: readonly NodeEvent[]): void;
  /** The text of all metrics. Gauges are taken from the facts; `now` is the wall clock in milliseconds. */
  text(facts: NodeFacts, now: number): Promise<string>;
}

const PREFIX = "etcd_haproxy_";

/** What gauges are taken from. */
interface View extends NodeFacts {
  readonly ready: boolean;
  /** How old the state is that a stale node serves; undefined: the node is not stale. */
  readonly staleMs: number | undefined;
  readonly problems: ReadonlySet<ProblemKind>;
}

type Value = (view: View) => number | bigint | boolean | undefined;

/** All gauges without a label. Undefined counts as 0: there was no pass yet. */
const GAUGES: readonly [name: string, help: string, value: Value][] = [
  ["revision", "Registry revision of the last pass", ({ lastPass }) => lastPass?.model.revision],
  ["lag_seconds", "Age of the oldest change that is not served yet", ({ lagMs }) => lagMs / 1_000],
  ["services", "Services in the registry", ({ lastPass }) => lastPass?.model.services.length],
  ["servers", "Servers in the registry", (view) => serverCounts(view).total],
  ["servers_up", "Servers that HAProxy finds healthy", (view) => serverCounts(view).up],
  ["held_servers", "Servers held: too many vanished at once", ({ lastPass }) => lastPass?.guard.held.length],
  ["rejections", "Entries that cannot be used", ({ lastPass }) => lastPass?.model.rejections.length],
  ["unknown_fields", "Fields in entries that are not known", ({ lastPass }) => lastPass?.model.unknownFields],
  ["pending_removals", "Removed servers that still hold requests", ({ lastPass }) => pendingOf(lastPass)],
  ["admissions_waiting", "Servers that wait for a probe to pass", (view) => view.admissionsWaiting],
  ["old_workers", "Retired HAProxy workers that still run", (view) => oldWorkersOf(view.lastPass)],
  ["up", "1 while HAProxy runs", ({ haproxy }) => haproxy.kind === "up"],
  ["etcd_watching", "1 while the watch on etcd is established", ({ etcd }) => etcd.kind === "watching"],
  ["etcd_reads_refused", "1 while etcd refuses reads", ({ problems }) => problems.has("etcd-reads-refused")],
  ["ready", "1 while the node is ready", ({ ready }) => ready],
  ["stale", "1 while the node serves what an earlier run left", ({ staleMs }) => staleMs !== undefined],
  ["stale_age_seconds", "Age of what a stale node serves", ({ staleMs = 0 }) => staleMs / 1_000],
  ["base_refused", "1 while the rendered base is refused", ({ problems }) => problems.has("base-refused")],
];

/**
 * Creates all metrics at zero, so that a rate over them is right from the first event on.
 *
 * @param commit of this program, for its build info
 */
export function createMetrics(commit: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name: `${PREFIX}${name}`, help, registers });
  /** Creates a counter at zero for each value of a label. Returns the function that counts. */
  const counters = (name: string, help: string, label: string, values: string) => {
    const all = new Counter({ name: `${PREFIX}${name}`, help, labelNames: [label], registers });
    for (const value of values.split(" ")) all.inc({ [label]: value }, 0);
    return (value: string) => all.inc({ [label]: value });
  };
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames, registers });

  const passes = counter("passes_total", "Passes made");
  const plans = counters(
    "plans_total",
    "Plans that were carried out, by kind",
    "kind",
    "nothing write runtime reload",
  );
  const putOff = counters(
    "plans_put_off_total",
    "Plans that were put off, by kind",
    "kind",
    "runtime reload",
  );
  const outcomes = counters(
    "outcomes_total",
    "Plans that were carried out, by outcome",
    "outcome",
    "reached refused incomplete vetoed reload-failed failed",
  );
  const reloads = counters("reloads_total", "Reloads by result", "result", "loaded failed vetoed");
  const steps = counters(
    "steps_total",
    "Steps made at run time, by kind",
    "kind",
    "add replace remove address weight maint ready",
  );
  const drift = counter("drift_repairs_total", "Steps that undid manual changes on HAProxy's socket");
  const etcdErrors = counter("etcd_errors_total", "Reads and watches of etcd that failed");
  const failures: Partial<Record<NodeEvent["kind"], Counter>> = {
    "pass-failed": counter("pass_errors_total", "Passes that failed"),
    "etcd-connecting": etcdErrors,
    "etcd-watch-ended": etcdErrors,
    "etcd-reads-refused": etcdErrors,
    "mirror-wrong": counter("mirror_wrong_total", "Times the mirror was found to differ from etcd"),
    "haproxy-down": counter("ends_total", "Times HAProxy ended unexpectedly"),
  };
  const apply = new Histogram({
    name: `${PREFIX}apply_duration_seconds`,
    help: "Duration of passes that changed something",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const gauges = GAUGES.map(([name, help, value]) => ({ gauge: gauge(name, help), value }));
  const problem = gauge("problem", "1 while the node has this problem; /api/state has the reason", ["kind"]);
  const versions = ["version", "commit", "haproxy"];
  const buildInfo = gauge("build_info", "Versions, and the commit of this program", versions);

  return {
    onPass: ({ decision: { plan }, outcome, drift: repairs, tookMs }) => {
      passes.inc();
      if (outcome === undefined) return putOff(plan.kind);
      plans(plan.kind);
      drift.inc(repairs);
      if (plan.kind === "runtime") plan.steps.forEach(({ kind }) => steps(kind));
      outcomes(outcome.kind);
      if (plan.kind !== "nothing") apply.observe(tookMs / 1_000);
    },
    onEvents: (events) => {
      for (const event of events) {
        failures[event.kind]?.inc();
        if (event.kind === "reload") reloads(event.result);
      }
    },
    text: (facts, now) => {
      const problems = new Set(problemsOf(facts).map(({ kind }) => kind));
      const readiness = readinessOf(facts, now);
      const staleMs = readiness.ready && readiness.stale ? readiness.ageMs : undefined;
      const view = { ...facts, ready: readiness.ready, staleMs, problems };
      for (const { gauge, value } of gauges) gauge.set(Number(value(view) ?? 0));
      for (const kind of PROBLEM_KINDS) problem.set({ kind }, Number(problems.has(kind)));
      buildInfo.set({ version: facts.version, commit, haproxy: facts.haproxyVersion }, 1);
      return registry.metrics();
    },
  };
}
