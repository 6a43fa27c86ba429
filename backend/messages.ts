import { messageOf } from "../lib/util/errors.ts";
import type { RegistrationCall, RegistrationEvent, Removal } from "../lib/register/events.ts";

const CALLS: Readonly<Record<RegistrationCall, string>> = {
  grant: "get a lease for",
  renew: "renew the lease of",
  put: "put",
  withdraw: "withdraw",
  check: "look at",
};

/** The log line for an event, if it is worth one: of a call that goes on failing only the first failure is. */
export function describeEvent(event: RegistrationEvent, key: string): string | undefined {
  switch (event.kind) {
    case "registered":
      return `registered ${key} at revision ${event.revision}`;
    case "updated":
      return `updated ${key} at revision ${event.revision}`;
    case "lost":
      return `the lease of ${key} has ended, registering again`;
    case "withdrawn":
      return `withdrew ${key} at revision ${event.revision}`;
    case "deleted":
      return `somebody deleted ${key}, putting it back`;
    case "taken":
      return undefined;
    case "failing":
      if (event.attempt > 1) return undefined;
      return `cannot ${CALLS[event.call]} ${key}, trying on: ${messageOf(event.error)}`;
    case "recovered":
      return `etcd answers again after ${event.attempts} failed attempts`;
  }
}

/** The log line for the end of a registration. */
export function describeRemoval(removal: Removal, key: string): string {
  if (removal.kind === "removed") return `removed ${key}`;
  return `cannot remove ${key}, it goes when its lease ends: ${messageOf(removal.error)}`;
}
