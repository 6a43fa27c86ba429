import type { ProbeTarget } from "../util/probe.ts";
import { comparable, type ComparableServer, paramKeywords } from "../config/server_line.ts";
import { type Step, stepKey } from "./step.ts";

/** A server that is to get requests and has not passed a probe yet. */
export interface Candidate {
  readonly key: string;
  /** Undefined: only HAProxy's own check can tell, because the server speaks TLS or HTTP/2. */
  readonly target: ProbeTarget | undefined;
}

/** The servers among the steps that must pass a probe first. A server without a check need not. */
export function candidatesOf(
  steps: readonly Step[],
  pathOf: (backend: string, server: string) => string | undefined,
): Candidate[] {
  return steps.flatMap((step) => {
    if (!needsAdmission(step)) return [];
    const server = comparable(step.line);
    if (!server.isChecked || server.maint) return [];
    return [{
      key: stepKey(step),
      target: targetOf(step.line.params, server, pathOf(step.backend, step.server)),
    }];
  });
}

function needsAdmission(
  step: Step,
): step is Extract<Step, { kind: "add" | "replace" | "address" | "ready" }> {
  if (step.kind === "ready") return step.from === "maint";
  return step.kind === "add" || step.kind === "replace" || step.kind === "address";
}

function targetOf(
  params: string,
  { address }: ComparableServer,
  path: string | undefined,
): ProbeTarget | undefined {
  const options = paramKeywords(params);
  if (address?.kind !== "ip" || options.get("proto") === "h2") return undefined;
  if (["ssl", "check-ssl", "addr", "send-proxy", "check-send-proxy"].some((word) => options.has(word))) {
    return undefined;
  }
  return { host: address.host, port: Number(options.get("port") ?? address.port), path };
}
