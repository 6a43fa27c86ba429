import { ControllerError, messageOf } from "../util/errors.ts";
import { escapeText } from "../util/escape.ts";
import { log } from "../util/log.ts";
import type { Deregistration, RegisterEvent } from "./events.ts";
import type { Ending } from "./process_group.ts";

/** Writes the log line of an event, if it is worth one: of a call that keeps failing, only the first failure is. */
export function logRegister(event: RegisterEvent, key: string): void {
  switch (event.kind) {
    case "registered":
      return log().info("registered", { key, revision: event.revision });
    case "updated":
      return log().info("registration updated", { key, revision: event.revision });
    case "withdrawn":
      return log().warn("registration withdrawn", { key, revision: event.revision });
    case "lost":
      return log().warn("lease ended, registering again", { key, inMs: event.returnInMs });
    case "deleted":
      return log().warn("key was deleted, putting it back", { key });
    case "taken":
      return log().error("key is taken, no longer registered", { key, owner: ownerText(event.leaseId) });
    case "failing":
      return logFailure(event, key);
    case "recovered":
      return log().info("etcd answers again", { key, attempts: event.attempts });
    case "unreachable":
      if (event.attempt > 1) return;
      return log().warn("waiting for etcd, serving meanwhile", { reason: messageOf(event.error) });
    case "unusual-address":
      return log().warn("nodes reject this address by default", { reason: event.reason });
    case "health":
      return log().info(event.passes ? "health check passes" : "health check fails", { key });
    case "leaving":
      return log().info("leaving", { key });
    case "drained":
      return logDeregistration(event.end);
    case "removed":
      return log().info("registration removed", { key });
    case "expiring":
      return log().warn("registration not removed, it expires with its lease", {
        key,
        reason: messageOf(event.error),
      });
  }
}

function logFailure({ call, attempt, error }: RegisterEvent & { kind: "failing" }, key: string): void {
  if (attempt > 1) return;
  // An operator has to act: grant a permission, or make room.
  const isRefused = error instanceof ControllerError && error.kind === "operator";
  log().warn(`etcd ${isRefused ? "refuses" : "does not answer"}, retrying`, {
    key,
    call,
    reason: messageOf(error),
  });
}

function logDeregistration(end: Deregistration): void {
  const text = deregistrationText(end);
  const fields = { ...end, kind: undefined };
  if (end.kind === "acknowledged" || end.kind === "unregistered") log().info(text, fields);
  else log().warn(text, fields);
}

/** The end in words, safe to show. */
export function deregistrationText(end: Deregistration): string {
  switch (end.kind) {
    case "acknowledged":
      return `drained: acknowledged by ${end.nodes.join(", ")} after ${end.tookMs} ms`;
    case "unregistered":
      return "leaving at once: not registered";
    case "nobody":
      return "leaving at once: no load-balancer node is alive";
    case "late": {
      const without = end.withoutLease.join(", ");
      const note = without === "" ? "" : ` (keys without a lease count until they are deleted: ${without})`;
      return `leaving although ${end.nodes.join(", ")} did not acknowledge in time${note}`;
    }
    case "unknown":
      return `leaving without an acknowledgement: ${escapeText(end.reason, 500)}`;
    case "hurried":
      return "leaving without further waiting";
  }
}

/** Writes the log line of how a command, or what it left running, ended. */
export function logEnding(what: string, ending: Ending, fields: Record<string, unknown> = {}): void {
  switch (ending) {
    case "asked":
      return log().info(`${what} has ended`, fields);
    case "late":
      return log().warn(`${what} did not end in time and was killed`, fields);
    case "hurried":
      return log().warn(`${what} was killed without further waiting`, fields);
  }
}

/** The owner of a key in words; the lease as etcdctl writes it. */
export function ownerText(leaseId: string): string {
  return leaseId === "0"
    ? "the key exists without a lease"
    : `lease ${BigInt(leaseId).toString(16).padStart(16, "0")} owns it`;
}
