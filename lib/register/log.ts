import { ControllerError, messageOf } from "../util/errors.ts";
import type { RegistrationEvent, RegistrationState, Removal } from "./events.ts";
import { type Deregistration, deregistrationText } from "./deregistration.ts";
import { log } from "../util/log.ts";
import type { Ending } from "./process_group.ts";

/** One log line for an event, if it is worth one: of a call that goes on failing only the first failure is. */
export function logRegistration(event: RegistrationEvent, key: string): void {
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
      return log().warn("somebody deleted the key, putting it back", { key });
    case "taken":
      // Whoever runs it says so as it ends.
      return;
    case "failing":
      if (event.attempt > 1) return;
      return log().warn(
        `etcd ${isRefused(event.error) ? "refuses" : "does not answer"}, serving on and trying again`,
        {
          key,
          call: event.call,
          reason: messageOf(event.error),
        },
      );
    case "recovered":
      return log().info("etcd answers again", { key, attempts: event.attempts });
  }
}

/** Somebody has to do something about it: give a permission, or make room. */
function isRefused(error: unknown): boolean {
  return error instanceof ControllerError && error.kind === "operator";
}

/** One log line for the end of the wait for the nodes. */
export function logDeregistration(end: Deregistration): void {
  const text = deregistrationText(end);
  const fine = end.kind === "acknowledged" || end.kind === "unregistered";
  const fields = { ...end, kind: undefined };
  if (fine) log().info(text, fields);
  else log().warn(text, fields);
}

/** One log line for the end of a registration, if its key may have stood there before. */
export function logRemoval(
  removal: Removal,
  { key, before }: { readonly key: string; readonly before: RegistrationState },
): void {
  if (before.kind !== "registered" && !(before.kind === "connecting" && before.attempted)) return;
  if (removal.kind === "removed") return log().info("registration removed", { key });
  log().warn("registration not removed, it goes when its lease ends", {
    key,
    reason: messageOf(removal.error),
  });
}

/** One log line for the end of what ran. */
export function logEnding(what: string, ending: Ending, fields: Record<string, unknown> = {}): void {
  switch (ending) {
    case "asked":
      return log().info(`${what} has ended`, fields);
    case "late":
      return log().warn(`${what} did not end when it was asked to, and was killed`, fields);
    case "hurried":
      return log().warn(`${what} was killed without waiting any longer`, fields);
  }
}
