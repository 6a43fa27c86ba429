import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Pass } from "../reconcile/pass.ts";
import { type NodeFacts, pendingOf, readinessOf, serverCounts } from "./facts.ts";
import { PROBLEM_KINDS, problemsOf } from "./problems.ts";
import { countServers } from "../registry/model.ts";

/** Counters and gauges of a node, in the Prometheus format. */
export interface Metrics {
  onPass(pass: Pass): void;
  onPassError(): void;
  onEtcdError(): void;
  onMirrorWrong(): void;
  onHaproxyEnd(): void;
  /** The text of all metrics, gauges taken from the facts. */
  text(facts: NodeFacts, now: number): Promise<string>;
}

/**
 * Creates all metrics at zero, so that a rate over them is right from the first event on.
 *
 * @param commit of this program, for its build info
 */
export function createMetrics(commit: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name: `etcd_haproxy_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge({ name: `etcd_haproxy_${name}`, help, labelNames, registers });

  const passes = counter("passes_total", "Passes made");
  const passErrors = counter("pass_errors_total", "Passes that could not be made at all");
  const plans = counter("plans_total", "Plans that were carried out, by kind", ["kind"]);
  const putOff = counter("plans_put_off_total", "Plans that had to wait, by kind", ["kind"]);
  const outcomes = counter("outcomes_total", "Applied plans by outcome", ["outcome"]);
  const reloads = counter("reloads_total", "Reloads by result", ["result"]);
  const steps = counter("steps_total", "Steps made at run time, by kind", ["kind"]);
  const drift = counter("drift_repairs_total", "Steps that undid what somebody changed on HAProxy's socket");
  const etcdErrors = counter("etcd_errors_total", "Reads and watches of etcd that failed");
  const mirrorWrong = counter("mirror_wrong_total", "Times the mirror was found to differ from etcd");
  const haproxyEnds = counter("ends_total", "Times HAProxy ended unasked");
  const apply = new Histogram({
    name: "etcd_haproxy_apply_duration_seconds",
    help: "Duration of passes that changed something",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  for (const kind of ["nothing", "write", "runtime", "reload"]) plans.inc({ kind }, 0);
  for (const kind of ["runtime", "reload"]) putOff.inc({ kind }, 0);
  for (const outcome of ["reached", "refused", "incomplete", "vetoed", "reload-failed", "failed"]) {
    outcomes.inc({ outcome }, 0);
  }
  for (const kind of ["add", "replace", "remove", "address", "weight", "maint", "ready"]) {
    steps.inc({ kind }, 0);
  }
  for (const result of ["loaded", "failed", "vetoed"]) reloads.inc({ result }, 0);

  const gauges = {
    revision: gauge("revision", "Registry revision of the last pass"),
    lag: gauge("lag_seconds", "Age of the oldest change that is not served yet"),
    services: gauge("services", "Services in the registry"),
    servers: gauge("servers", "Servers in the registry"),
    serversUp: gauge("servers_up", "Servers that HAProxy finds healthy"),
    held: gauge("held_servers", "Servers that left the registry too many at once and are served on"),
    rejections: gauge("rejections", "Entries that cannot be used"),
    unknownFields: gauge("unknown_fields", "Fields in entries that this version does not know"),
    pending: gauge("pending_removals", "Removed servers that still hold requests"),
    admissions: gauge("admissions_waiting", "Servers that get no request until a probe has passed"),
    oldWorkers: gauge("old_workers", "HAProxy workers that a reload retired and that still live"),
    up: gauge("up", "1 while HAProxy runs"),
    watching: gauge("etcd_watching", "1 while the watch on etcd is established"),
    readsRefused: gauge("etcd_reads_refused", "1 while etcd refuses reads although the watch on it goes on"),
    ready: gauge("ready", "1 while the node is ready"),
    stale: gauge("stale", "1 while the node serves what an earlier run left"),
    staleAge: gauge("stale_age_seconds", "Age of what a stale node serves"),
    refusedBase: gauge("base_refused", "1 while the rendered base is refused and the last good one goes on"),
    problem: gauge("problem", "1 while this is wrong; /api/state tells the reason", ["kind"]),
    buildInfo: gauge("build_info", "Versions, and the commit of this program", [
      "version",
      "commit",
      "haproxy",
    ]),
  };

  return {
    onPass: ({ decision: { plan }, outcome, drift: repairs, tookMs }) => {
      passes.inc();
      if (outcome === undefined) return putOff.inc({ kind: plan.kind });
      plans.inc({ kind: plan.kind });
      drift.inc(repairs);
      if (plan.kind === "runtime") plan.steps.forEach(({ kind }) => steps.inc({ kind }));
      outcomes.inc({ outcome: outcome.kind });
      if (plan.kind === "reload" && outcome.kind !== "refused") {
        reloads.inc({ result: reloadResult(outcome) });
      }
      if (plan.kind !== "nothing") apply.observe(tookMs / 1_000);
    },
    onPassError: () => passErrors.inc(),
    onEtcdError: () => etcdErrors.inc(),
    onMirrorWrong: () => mirrorWrong.inc(),
    onHaproxyEnd: () => haproxyEnds.inc(),
    text: (facts, now) => {
      gauges.buildInfo.set({ version: facts.version, commit, haproxy: facts.haproxyVersion }, 1);
      setGauges(gauges, facts, now);
      return registry.metrics();
    },
  };
}

function reloadResult({ kind }: NonNullable<Pass["outcome"]>): "loaded" | "vetoed" | "failed" {
  if (kind === "reached") return "loaded";
  return kind === "vetoed" ? "vetoed" : "failed";
}

type Gauges = Record<
  | (
    | "revision"
    | "lag"
    | "services"
    | "servers"
    | "serversUp"
    | "rejections"
    | "unknownFields"
    | "held"
    | "oldWorkers"
    | "up"
  )
  | ("pending" | "admissions")
  | ("watching" | "readsRefused" | "ready" | "stale" | "staleAge" | "refusedBase"),
  Gauge
>;

function setGauges(
  gauges: Gauges & { problem: Gauge<"kind"> },
  facts: NodeFacts,
  now: number,
): void {
  const { lastPass } = facts;
  const readiness = readinessOf(facts, now);
  const isStale = readiness.ready && readiness.stale;
  const problems = new Set(problemsOf(facts).map(({ kind }) => kind));
  for (const kind of PROBLEM_KINDS) gauges.problem.set({ kind }, problems.has(kind) ? 1 : 0);
  gauges.admissions.set(facts.admissionsWaiting);
  gauges.lag.set(facts.lagMs / 1_000);
  gauges.up.set(facts.haproxy.kind === "up" ? 1 : 0);
  gauges.watching.set(facts.etcd.kind === "watching" ? 1 : 0);
  gauges.readsRefused.set(facts.etcd.kind === "watching" && facts.etcd.readsRefused !== undefined ? 1 : 0);
  gauges.ready.set(readiness.ready ? 1 : 0);
  gauges.stale.set(isStale ? 1 : 0);
  gauges.staleAge.set(isStale ? readiness.ageMs / 1_000 : 0);
  if (lastPass === undefined) return;
  gauges.revision.set(Number(lastPass.model.revision));
  gauges.services.set(lastPass.model.services.length);
  gauges.servers.set(countServers(lastPass.model));
  gauges.serversUp.set(serverCounts(lastPass, facts.seen).up);
  gauges.held.set(lastPass.guard.held.length);
  gauges.rejections.set(lastPass.model.rejections.length);
  gauges.unknownFields.set(lastPass.model.unknownFields);
  gauges.pending.set(pendingOf(lastPass.outcome));
  gauges.oldWorkers.set(lastPass.observed.processes.oldWorkers);
  gauges.refusedBase.set(lastPass.state.refusedBase === undefined ? 0 : 1);
}
