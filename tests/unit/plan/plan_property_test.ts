import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type ConfigText, joinConfig } from "../../../lib/config/text.ts";
import { buildModel } from "../../../lib/registry/model.ts";
import { describePlan, type Plan, plan } from "../../../lib/plan/plan.ts";
import { compileTemplate, renderConfig } from "../../../lib/config/render.ts";
import { comparable } from "../../../lib/config/server_line.ts";
import { serverStateText } from "../../../lib/plan/state_file.ts";
import { type Step, stepKey } from "../../../lib/plan/step.ts";
import { HaproxyFake } from "../../support/haproxy_fake.ts";
import { goodEntry } from "../arbitraries.ts";
import { PREFIXES, raw, RENDER_SETTINGS } from "../fixtures.ts";

const embedded = compileTemplate(
  await Deno.readTextFile(new URL("../../../templates/haproxy.cfg.eta", import.meta.url)),
);

/** Entries by `<service>/<id>`. */
type Registry = Record<string, unknown>;

function configOf(registry: Registry): ConfigText {
  const entries = Object.entries(registry).map(([place, value]) => raw(`/services/${place}`, value));
  return renderConfig(buildModel({ revision: 9n, entries }, PREFIXES), embedded, RENDER_SETTINGS);
}

const place = fc.tuple(fc.constantFrom("backend", "api"), fc.constantFrom("a", "b", "c", "d", "e")).map((
  [service, id],
) => `${service}/${id}`);
const anyRegistry = fc.dictionary(place, goodEntry, { maxKeys: 6 });

const plainEntry = fc.record({
  address: fc.tuple(fc.constantFrom("10.0.0.1", "10.0.0.2", "[2001:DB8::1]"), fc.constantFrom(80, 81)).map((
    [host, port],
  ) => `${host}:${port}`),
  weight: fc.constantFrom(0, 1, 100, 256),
  state: fc.constantFrom("ready", "drain", "maint"),
  backup: fc.boolean(),
  maxconn: fc.constantFrom(0, 5),
  check: fc.record({ port: fc.constantFrom(80, 81), disabled: fc.boolean() }, { requiredKeys: [] }),
}, { requiredKeys: ["address"] });
/** Registries that differ in servers only, and in nothing that needs a reload. */
const plainRegistry = fc.dictionary(place, plainEntry, { maxKeys: 8 }).map((entries) => ({
  "api/always": "10.0.0.9:80",
  ...entries,
}));

/** A HAProxy that runs this, some of its servers with requests. */
function running(config: ConfigText, busy: readonly number[] = []): HaproxyFake {
  const haproxy = new HaproxyFake();
  haproxy.boot(joinConfig(config));
  haproxy.model.servers.forEach((server, at) => server.connections = busy[at % busy.length] ?? 0);
  return haproxy;
}

async function planFor(
  haproxy: HaproxyFake,
  desired: ConfigText,
  mode: "auto" | "reload" = "auto",
): Promise<Plan> {
  const observed = await haproxy.observe();
  return plan({ desired, observed, file: haproxy.file, revisionOf: () => undefined, mode });
}

/** Carries out a plan as a pass does; between two of them some requests end. */
async function carryOut(
  haproxy: HaproxyFake,
  todo: Plan,
  { desired, held = new Set() }: { desired: ConfigText; held?: Set<string> },
) {
  if (todo.kind === "nothing") return;
  haproxy.file = joinConfig(desired);
  if (todo.kind === "runtime") await haproxy.change(todo.steps, held);
  if (todo.kind === "reload") {
    const observed = await haproxy.observe();
    haproxy.stateFile = serverStateText(desired, observed.kind === "up" ? observed.servers : new Map(), held);
    await haproxy.reload();
  }
  haproxy.model.servers.forEach((server) => server.connections = Math.max(0, server.connections - 1));
}

/** How many passes it may take: one that starts, one for each request that has to end, one that deletes. */
const MAX_PASSES = 6;

async function bring(
  haproxy: HaproxyFake,
  options: { desired: ConfigText; held?: Set<string>; mode?: "auto" | "reload" },
): Promise<string[]> {
  const kinds: string[] = [];
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const todo = await planFor(haproxy, options.desired, options.mode);
    if (todo.kind === "nothing") return kinds;
    kinds.push(todo.kind);
    await carryOut(haproxy, todo, options);
  }
  const left = describePlan(await planFor(haproxy, options.desired)).join("\n");
  throw new Error(`still to do after ${MAX_PASSES} passes (${kinds}):\n${left}`);
}

/** What a server is besides its health. */
const settled = (haproxy: HaproxyFake) =>
  haproxy.model.toString().split("\n").map((line) => line.replace(/ (up|down)$/, "")).sort();

const busyServers = fc.array(fc.nat(3), { minLength: 1, maxLength: 4 });

Deno.test("plan() leads from any state to any other, by whatever it needs, and finds nothing to do there", async () => {
  await fc.assert(
    fc.asyncProperty(anyRegistry, anyRegistry, busyServers, async (before, after, busy) => {
      const haproxy = running(configOf(before), busy);
      const desired = configOf(after);
      await bring(haproxy, { desired });
      assertEquals(settled(haproxy), settled(running(desired)));
      assertEquals(await planFor(haproxy, desired), { kind: "nothing" });
    }),
    { numRuns: 300 },
  );
});

/** Whether a server that stays has other parameters, which its id tells. */
function changesParameters(before: ConfigText, after: ConfigText): boolean {
  return [...after.servers].some(([backend, lines]) => {
    const ids = new Map((before.servers.get(backend) ?? []).map((line) => [line.name, comparable(line).id]));
    return lines.some((line) => ids.has(line.name) && ids.get(line.name) !== comparable(line).id);
  });
}

Deno.test("plan() leads from any state to any other without a reload where only plain servers differ", async () => {
  await fc.assert(
    fc.asyncProperty(plainRegistry, plainRegistry, busyServers, async (before, after, busy) => {
      const haproxy = running(configOf(before), busy);
      const desired = configOf(after);
      const kinds = await bring(haproxy, { desired });
      const isQuiet = kinds.every((kind) => kind === "runtime" || kind === "write");
      assert(isQuiet || changesParameters(configOf(before), desired), `plans ${kinds}`);
      assertEquals(settled(haproxy), settled(running(desired)));
    }),
    { numRuns: 500 },
  );
});

Deno.test("plan() leads to the same state by reloads alone", async () => {
  await fc.assert(
    fc.asyncProperty(plainRegistry, plainRegistry, async (before, after) => {
      const haproxy = running(configOf(before));
      const desired = configOf(after);
      const kinds = await bring(haproxy, { desired, mode: "reload" });
      assert(kinds.length <= 1 && !kinds.includes("runtime"), `plans ${kinds}`);
      assertEquals(settled(haproxy), settled(running(desired)));
    }),
    { numRuns: 300 },
  );
});

Deno.test("plan() leads on from a change that was cut short at any line", async () => {
  await fc.assert(
    fc.asyncProperty(plainRegistry, plainRegistry, fc.nat(20), async (before, after, lines) => {
      const haproxy = running(configOf(before));
      const desired = configOf(after);
      let left = lines;
      haproxy.trouble = { deaf: () => left-- <= 0 };
      await carryOut(haproxy, await planFor(haproxy, desired), { desired });
      haproxy.trouble = {};
      await bring(haproxy, { desired });
      assertEquals(settled(haproxy), settled(running(desired)));
    }),
    { numRuns: 300 },
  );
});

Deno.test("plan() undoes what was changed by hand", async () => {
  const hand = fc.array(
    fc.tuple(
      fc.nat(9),
      fc.constantFrom(
        "state maint",
        "state drain",
        "state ready",
        "weight 3",
        "addr 10.9.9.9 port 99",
        "health down",
      ),
    ),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(plainRegistry, hand, async (registry, changes) => {
      const desired = configOf(registry);
      const haproxy = running(desired);
      const { servers } = haproxy.model;
      for (const [at, change] of changes) {
        const { backend, name } = servers[at % servers.length] ?? { backend: "", name: "" };
        haproxy.model.run(`set server ${backend}/${name} ${change}`);
      }
      await bring(haproxy, { desired });
      assertEquals(settled(haproxy), settled(running(desired)));
    }),
    { numRuns: 300 },
  );
});

/** Steps after which a server gets requests that was never seen healthy. */
const comesIn = (step: Step) => step.kind === "add" || step.kind === "ready" && step.from === "maint";

Deno.test("plan() and its command lines send no request to a held server at any moment", async () => {
  let watched = 0;
  await fc.assert(
    fc.asyncProperty(plainRegistry, plainRegistry, async (before, after) => {
      const haproxy = running(configOf(before));
      const desired = configOf(after);
      const todo = await planFor(haproxy, desired);
      if (todo.kind !== "runtime") return;
      const checked = todo.steps.filter((step) => "line" in step && / check /.test(step.line.params));
      const held = new Set(checked.filter(comesIn).map(stepKey));
      const leaks: string[] = [];
      const { model } = haproxy;
      const run = model.run.bind(model);
      model.run = (line) =>
        run(line, () => {
          watched++;
          leaks.push(...[...held].filter((key) => model.serves(key)).map((key) => `${key}: ${line}`));
        });
      await carryOut(haproxy, todo, { desired, held });
      assertEquals(leaks, []);
      for (const key of held) model.run(`set server ${key} health up`);
    }),
    { numRuns: 300 },
  );
  assert(watched > 100, `${watched} commands watched`);
});

Deno.test("plan() gives one plan and one text, whatever the order of the entries", async () => {
  const shuffled = anyRegistry.chain((registry) => {
    const entries = Object.entries(registry);
    return fc.tuple(
      fc.constant(registry),
      fc.shuffledSubarray(entries, { minLength: entries.length }).map((all) => Object.fromEntries(all)),
    );
  });
  await fc.assert(
    fc.asyncProperty(anyRegistry, shuffled, async (before, [after, other]) => {
      const haproxy = running(configOf(before));
      assertEquals(joinConfig(configOf(other)), joinConfig(configOf(after)));
      assertEquals(await planFor(haproxy, configOf(other)), await planFor(haproxy, configOf(after)));
    }),
    { numRuns: 200 },
  );
});
