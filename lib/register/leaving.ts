import { escapeText } from "../util/escape.ts";

/** How the leaving of a server ended, which is when its process may stop. */
export type Leaving =
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
  /** Its operator did not want to wait any longer. */
  | { readonly kind: "hurried" };

/** The leaving in words, safe to show. */
export function leavingText(leaving: Leaving): string {
  switch (leaving.kind) {
    case "acknowledged":
      return `drained: acknowledged by ${leaving.nodes.join(", ")} after ${Math.round(leaving.tookMs)} ms`;
    case "unregistered":
      return "leaving at once: not registered";
    case "nobody":
      return "leaving at once: no load-balancer node lives";
    case "late":
      return `leaving although ${leaving.nodes.join(", ")} did not acknowledge in time${leaseText(leaving)}`;
    case "unknown":
      return `leaving without an acknowledgement: ${escapeText(leaving.reason, 500)}`;
    case "hurried":
      return "leaving without waiting any longer";
  }
}

function leaseText({ withoutLease }: Leaving & { kind: "late" }): string {
  if (withoutLease.length === 0) return "";
  return ` (without a lease, waited for until somebody deletes their keys: ${withoutLease.join(", ")})`;
}
