import type { ServerLine } from "../config/text.ts";
import { comparable, type ComparableAddress } from "../config/server_line.ts";

/** One change of one server as data: what to do, and why in words. */
export type Step =
  | Of<"add", { readonly line: ServerLine }>
  /** A parameter changed that no command can change: the server is removed and added again. */
  | Of<"replace", { readonly line: ServerLine; readonly isMaint: boolean }>
  | Of<"address", { readonly line: ServerLine; readonly address: ComparableAddress }>
  | Of<"weight", { readonly weight: number }>
  | Of<"maint", unknown>
  | Of<"ready", { readonly line: ServerLine; readonly from: "maint" | "drain" }>
  | Of<"remove", { readonly isMaint: boolean; readonly isDraining: boolean; readonly isName: boolean }>;

type Of<K extends string, T> = T & {
  readonly kind: K;
  readonly backend: string;
  readonly server: string;
  readonly reason: string;
};

/** What names a server among all backends. */
export function stepKey(step: { readonly backend: string; readonly server: string }): string {
  return `${step.backend}/${step.server}`;
}

/** Whether a step only asks a removed server again, which still holds requests. */
export function isAskedAgain(step: Step): boolean {
  return step.kind === "remove" && (step.isDraining || step.isMaint);
}

/** A step on one line. */
export function describeStep(step: Step): string {
  return `${action(step)}: ${step.reason}`;
}

function action(step: Step): string {
  const place = `${step.kind} server ${stepKey(step)}`;
  if (step.kind === "add" || step.kind === "replace") return `${place} ${summary(step.line)}`;
  if (step.kind === "address") return `${place} ${step.address.host} port ${step.address.port}`;
  if (step.kind === "weight") return `${place} ${step.weight}`;
  return place;
}

function summary(line: ServerLine): string {
  const { weight, maint, isChecked } = comparable(line);
  const address = line.params.split(" ", 1)[0] ?? "";
  return `${address} weight ${weight}${isChecked ? " check" : ""}${maint ? " disabled" : ""}`;
}
