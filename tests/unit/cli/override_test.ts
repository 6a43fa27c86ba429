import { assertEquals } from "@std/assert";
import type { OperatorAction } from "../../../lib/cli/options.ts";
import { changedOverride } from "../../../lib/cli/override.ts";

const json = (value: unknown) => JSON.stringify(value);
const DRAIN: OperatorAction = { kind: "drain" };
const WEIGHT: OperatorAction = { kind: "weight", weight: 7 };

const cases: Record<
  string,
  [current: string | undefined, action: OperatorAction, expected: string | undefined]
> = {
  "writes a state where there was no override": [undefined, DRAIN, json({ state: "drain" })],
  "writes a weight where there was no override": [undefined, WEIGHT, json({ weight: 7 })],
  "keeps the weight when the state changes": ['{"weight":7}', DRAIN, json({ weight: 7, state: "drain" })],
  "keeps the state when the weight changes": [
    '{"state":"maint"}',
    WEIGHT,
    json({ state: "maint", weight: 7 }),
  ],
  "replaces one state by another": ['{"state":"maint"}', DRAIN, json({ state: "drain" })],
  "keeps fields that it does not know": ['{"note":"x"}', DRAIN, json({ note: "x", state: "drain" })],
  "changes nothing that says so already": ['{"state":"drain"}', DRAIN, '{"state":"drain"}'],
  "replaces what cannot be read": ["drain!", DRAIN, json({ state: "drain" })],
  "replaces what is no object": ["[1]", WEIGHT, json({ weight: 7 })],
  "deletes all for ready": ['{"state":"maint","weight":7}', { kind: "ready" }, undefined],
  "has nothing to delete for ready": [undefined, { kind: "ready" }, undefined],
};

for (const [what, [current, action, expected]] of Object.entries(cases)) {
  Deno.test(`changedOverride() ${what}`, () => assertEquals(changedOverride(current, action), expected));
}
