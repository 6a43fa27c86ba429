import { assertEquals } from "@std/assert";
import type { OperatorAction } from "../../../lib/cli/options.ts";
import { changeOverride, type OverrideChange } from "../../../lib/cli/override.ts";

const put = (value: unknown): OverrideChange => ({ kind: "put", value: JSON.stringify(value) });
const DRAIN: OperatorAction = { kind: "drain" };
const WEIGHT: OperatorAction = { kind: "weight", weight: 7 };

const cases: Record<string, [current: string | undefined, action: OperatorAction, expected: OverrideChange]> =
  {
    "writes a state where there was no override": [undefined, DRAIN, put({ state: "drain" })],
    "writes a weight where there was no override": [undefined, WEIGHT, put({ weight: 7 })],
    "keeps the weight when the state changes": ['{"weight":7}', DRAIN, put({ weight: 7, state: "drain" })],
    "keeps the state when the weight changes": [
      '{"state":"maint"}',
      WEIGHT,
      put({ state: "maint", weight: 7 }),
    ],
    "replaces one state by another": ['{"state":"maint"}', DRAIN, put({ state: "drain" })],
    "keeps fields that it does not know": ['{"note":"x"}', DRAIN, put({ note: "x", state: "drain" })],
    "changes nothing that says so already": ['{"state":"drain"}', DRAIN, { kind: "none" }],
    "replaces what cannot be read": ["drain!", DRAIN, put({ state: "drain" })],
    "replaces what is no object": ["[1]", WEIGHT, put({ weight: 7 })],
    "deletes all for ready": ['{"state":"maint","weight":7}', { kind: "ready" }, { kind: "delete" }],
    "has nothing to delete for ready": [undefined, { kind: "ready" }, { kind: "none" }],
  };

for (const [what, [current, action, expected]] of Object.entries(cases)) {
  Deno.test(`changeOverride() ${what}`, () => assertEquals(changeOverride(current, action), expected));
}
