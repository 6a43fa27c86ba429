import type { OperatorAction } from "./options.ts";

/** The value of an override key, or that it is to be deleted. */
export type OverrideChange =
  | { readonly kind: "put"; readonly value: string }
  | { readonly kind: "delete" }
  /** It says so already. */
  | { readonly kind: "none" };

/**
 * What becomes of an override: `drain` and `maint` set the state and keep the weight, `weight` keeps the state, `ready`
 * deletes all. Fields that this version does not know are kept; a value that cannot be read is replaced.
 *
 * @param current the value as it stands; undefined: there is no override
 */
export function changeOverride(current: string | undefined, action: OperatorAction): OverrideChange {
  if (action.kind === "ready") return current === undefined ? { kind: "none" } : { kind: "delete" };
  const change = action.kind === "weight" ? { weight: action.weight } : { state: action.kind };
  const value = JSON.stringify({ ...fieldsOf(current), ...change });
  return value === current ? { kind: "none" } : { kind: "put", value };
}

function fieldsOf(text: string | undefined): object {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}
