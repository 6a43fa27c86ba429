import type { OperatorAction } from "./options.ts";

/** What to do with the key of an override. */
export type OverrideChange =
  | { readonly kind: "put"; readonly value: string }
  | { readonly kind: "delete" }
  /** The key has this value already. */
  | { readonly kind: "none" };

/**
 * How an action changes an override: `drain` and `maint` set the state and keep the weight, `weight` keeps the state,
 * `ready` deletes the key. Unknown fields are kept. A value that cannot be read is replaced.
 *
 * @param current the current value; undefined: there is no override
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
