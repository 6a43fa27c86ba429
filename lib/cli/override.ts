import type { OperatorAction } from "./options.ts";

/**
 * The value of an override after an action; undefined: none. `drain` and `maint` set the state and keep the weight,
 * `weight` keeps the state, `ready` deletes the override. Unknown fields are kept. A value that cannot be read is replaced.
 *
 * @param current the value before; undefined: none
 */
export function changedOverride(current: string | undefined, action: OperatorAction): string | undefined {
  if (action.kind === "ready") return undefined;
  const change = action.kind === "weight" ? { weight: action.weight } : { state: action.kind };
  return JSON.stringify({ ...fieldsOf(current), ...change });
}

function fieldsOf(text: string | undefined): object {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}
