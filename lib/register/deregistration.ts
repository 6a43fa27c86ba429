import { escapeText } from "../util/escape.ts";

/** How deregistering a server ended; then its process may stop. */
export type Deregistration =
  /** Every live node has stopped sending to it, and no request of theirs is left at it. */
  | { readonly kind: "acknowledged"; readonly nodes: readonly string[]; readonly tookMs: number }
  /** It was not registered: no node knows it. */
  | { readonly kind: "unregistered" }
  /** No node lives. */
  | { readonly kind: "nobody" }
  /** The time is up, and these nodes have not acknowledged; some have no lease that would end when they are gone. */
  | { readonly kind: "late"; readonly nodes: readonly string[]; readonly withoutLease: readonly string[] }
  /** The nodes could not be told, or not be asked; the time is up. */
  | { readonly kind: "unknown"; readonly reason: string }
  /** A second signal asked not to wait any longer. */
  | { readonly kind: "hurried" };

/** The end in words, safe to show. */
export function deregistrationText(end: Deregistration): string {
  switch (end.kind) {
    case "acknowledged":
      return `drained: acknowledged by ${end.nodes.join(", ")} after ${Math.round(end.tookMs)} ms`;
    case "unregistered":
      return "leaving at once: not registered";
    case "nobody":
      return "leaving at once: no load-balancer node lives";
    case "late":
      return `leaving although ${end.nodes.join(", ")} did not acknowledge in time${leaseText(end)}`;
    case "unknown":
      return `leaving without an acknowledgement: ${escapeText(end.reason, 500)}`;
    case "hurried":
      return "leaving without waiting any longer";
  }
}

function leaseText({ withoutLease }: Deregistration & { kind: "late" }): string {
  if (withoutLease.length === 0) return "";
  return ` (without a lease, waited for until somebody deletes their keys: ${withoutLease.join(", ")})`;
}
