import { assertEquals } from "@std/assert";
import { baseDigest, type ConfigText } from "../../lib/config_text.ts";
import { FRESH_MEMORY, type Memory } from "../../lib/memory.ts";
import { comparable } from "../../lib/server_line.ts";
import { chooseWanted, wantedWithoutTemplate } from "../../lib/wanted.ts";
import { modelOf } from "./fixtures.ts";

const GOOD = "backend old\n\nbackend both\n";
const RENDERED: ConfigText = {
  base: "backend both\n\nbackend new\n",
  servers: new Map([
    ["both", [{ name: "a", params: "10.0.0.5:80" }]],
    ["new", [{ name: "b", params: "10.0.0.6:80" }]],
  ]),
};
const refusedBase = { digest: baseDigest(RENDERED.base), reason: "no", attempts: 1, retryAt: 1_000 };
const asRendered = { config: RENDERED, base: "rendered", waiting: [] } as const;

const rendered: Record<string, [memory: Partial<Memory>, now: number]> = {
  "nothing is refused": [{ goodBase: GOOD }, 0],
  "another base is refused": [{ goodBase: GOOD, refusedBase: { ...refusedBase, digest: "other" } }, 0],
  "the refused base is due again": [{ goodBase: GOOD, refusedBase }, 1_000],
  "there is no good base to go on with": [{ refusedBase }, 0],
};

for (const [what, [memory, now]] of Object.entries(rendered)) {
  Deno.test(`chooseWanted() wants the rendered base when ${what}`, () => {
    assertEquals(chooseWanted(RENDERED, { ...FRESH_MEMORY, ...memory }, now), asRendered);
  });
}

Deno.test("chooseWanted() goes on with the last good base and the servers of now while the new one is refused", () => {
  assertEquals(chooseWanted(RENDERED, { ...FRESH_MEMORY, goodBase: GOOD, refusedBase }, 999), {
    config: { base: GOOD, servers: new Map([["old", []], ["both", RENDERED.servers.get("both") ?? []]]) },
    base: "last-good",
    waiting: ["new"],
  });
});

Deno.test("wantedWithoutTemplate() writes the servers of the model into the last good base", () => {
  const model = modelOf({ "both/a": "10.0.0.5:80", "new/b": "10.0.0.6:80" });
  const { config, base, waiting } = wantedWithoutTemplate(model, GOOD);
  assertEquals([config.base, base, waiting], [GOOD, "last-good", ["new"]]);
  const [line] = config.servers.get("both") ?? [];
  assertEquals(line?.name, "a");
  const { address, id } = comparable(line ?? { name: "", params: "" });
  assertEquals([address, id === undefined], [{ kind: "ip", host: "10.0.0.5", port: 80 }, false]);
  assertEquals(config.servers.get("old"), []);
});
