import { assertEquals, assertRejects } from "@std/assert";
import { ADMIT_ALL } from "../../../lib/haproxy/admission.ts";
import { apply, type ApplyOptions, type Outcome } from "../../../lib/reconcile/apply.ts";
import type { Candidate } from "../../../lib/plan/probe_targets.ts";
import { type ConfigText, joinConfig, splitConfig } from "../../../lib/config/text.ts";
import { ControllerError } from "../../../lib/util/errors.ts";
import { plan, type PlanInput } from "../../../lib/plan/plan.ts";
import type { Admission, HaproxyPort } from "../../../lib/reconcile/ports.ts";
import { EMPTY_MODEL } from "../../../lib/registry/model.ts";
import { HaproxyFake } from "../../support/haproxy_fake.ts";

/** A configuration with these servers of backend `b`, by name; `base` comes first. */
function configOf(lines: Record<string, string>, base = ""): ConfigText {
  const servers = Object.entries(lines).map(([name, params]) => `    server ${name} ${params}\n`).join("");
  return splitConfig(`${base}backend b\n${servers}`);
}

const A = "10.0.0.5:80 weight 100 check id 7";
const Z = "10.0.0.6:80 weight 100 check id 8";
const FRONTEND = "frontend f\n    bind :8080\n\n";

/** Plans what is wanted for this HAProxy, and applies it. */
async function applied(
  haproxy: HaproxyFake,
  desired: ConfigText,
  changes: Partial<ApplyOptions & { mode: "auto" | "reload" }> = {},
): Promise<Outcome> {
  const { mode = "auto", model = EMPTY_MODEL, runningBase, ...ports } = changes;
  const observed = await haproxy.observe();
  const input: PlanInput = { desired, observed, file: haproxy.file, revisionOf: () => 5n, mode };
  return await apply(plan(input), {
    input,
    model,
    runningBase,
    haproxy,
    admission: ADMIT_ALL,
    wait: () => Promise.resolve(),
    ...ports,
  });
}

function running(config: ConfigText): HaproxyFake {
  const haproxy = new HaproxyFake();
  haproxy.boot(joinConfig(config));
  return haproxy;
}

/** An admission that reports these servers unready, and what it was asked for. */
function notReady(...keys: string[]) {
  const asked: (readonly Candidate[])[] = [];
  const state = { confirmed: 0 };
  const admission: Admission = {
    begin: (candidates) => {
      asked.push(candidates);
      return { unready: () => Promise.resolve(new Set(keys)), confirm: () => state.confirmed++ };
    },
    probing: () => keys.length,
  };
  return { admission, asked, state };
}

Deno.test("apply() writes the file before the first step, and keeps a good copy after the last", async () => {
  const haproxy = running(configOf({ z: Z }));
  const desired = configOf({ a: A });
  const outcome = await applied(haproxy, desired);
  assertEquals(haproxy.effects, [
    "write file",
    "set server b/z state drain",
    "add server b/a 10.0.0.5:80; enable health b/a; enable server b/a",
    "set server b/z state maint; del server b/z",
    "keep last good",
  ]);
  assertEquals([haproxy.file, haproxy.lastGood], [joinConfig(desired), joinConfig(desired)]);
  assertEquals(outcome, { kind: "reached", observed: await haproxy.observe(), pending: 0 });
  assertEquals(String(haproxy.model), "b/a 10.0.0.5:80 weight 100 ready up");
});

Deno.test("apply() does not write a file that says what is wanted already", async () => {
  const haproxy = running(configOf({ a: A }));
  haproxy.model.run("set server b/a weight 3");
  assertEquals((await applied(haproxy, configOf({ a: A }))).kind, "reached");
  assertEquals(haproxy.effects, ["set server b/a weight 100", "keep last good"]);
});

Deno.test("apply() has removed servers with requests pending, and the rest done", async () => {
  const haproxy = running(configOf({ a: A, z: Z }));
  const server = haproxy.model.server("b/z");
  if (server !== undefined) server.connections = 1;
  const outcome = await applied(haproxy, configOf({ a: A.replace("100", "7") }));
  assertEquals([outcome.kind, outcome.kind === "reached" && outcome.pending], ["reached", 1]);
  assertEquals(
    String(haproxy.model),
    "b/a 10.0.0.5:80 weight 7 ready up\nb/z 10.0.0.6:80 weight 100 drain up",
  );
  assertEquals(haproxy.lastGood, joinConfig(configOf({ a: A.replace("100", "7") })));
});

Deno.test("apply() plans steps that had no effect again once", async () => {
  const haproxy = running(configOf({}));
  let deaf = 1;
  haproxy.trouble = { deaf: (line) => line.startsWith("add") && deaf-- > 0 };
  const outcome = await applied(haproxy, configOf({ a: A }));
  assertEquals(outcome.kind, "reached");
  const add = "add server b/a 10.0.0.5:80; enable health b/a; enable server b/a";
  assertEquals(haproxy.effects, ["write file", add, add, "keep last good"]);
});

Deno.test("apply() gives up after the second time, and says what HAProxy complained of", async () => {
  const haproxy = running(configOf({}));
  haproxy.trouble = { deaf: (line) => line.includes("b/a") };
  const outcome = await applied(haproxy, configOf({ a: A, z: Z }));
  assertEquals(outcome, { kind: "incomplete", reason: "1 steps had no effect" });
  assertEquals(haproxy.effects.filter((effect) => effect.includes("b/z")).length, 1);
  assertEquals(haproxy.lastGood, undefined);
});

Deno.test("apply() explains an incomplete change by HAProxy's own words", async () => {
  const haproxy = running(configOf({}));
  const outcome = await applied(haproxy, configOf({ a: A }), {
    haproxy: { ...fakePort(haproxy), change: refuse },
  });
  assertEquals(outcome, {
    kind: "incomplete",
    reason: "1 steps had no effect: No such backend.: No such backend.",
  });
});

const refuse = () => Promise.resolve({ errors: ["No such backend."] });

/** The methods of a fake as a plain object, to replace some. */
function fakePort(haproxy: HaproxyFake): HaproxyPort {
  return {
    processes: () => haproxy.processes(),
    observe: () => haproxy.observe(),
    observeBackends: (backends) => haproxy.observeBackends(backends),
    readConfig: () => haproxy.readConfig(),
    stageConfig: (text) => haproxy.stageConfig(text),
    check: (path) => haproxy.check(path),
    change: (steps, unready) => haproxy.change(steps, unready),
    tryBind: (address) => haproxy.tryBind(address),
    writeServerState: (text) => haproxy.writeServerState(text),
    reload: () => haproxy.reload(),
    readLastGood: () => haproxy.readLastGood(),
    keepLastGood: (text) => haproxy.keepLastGood(text),
  };
}

Deno.test("apply() adds an unready server down, and confirms that HAProxy knows it", async () => {
  const haproxy = running(configOf({}));
  const { admission, asked, state } = notReady("b/a");
  const outcome = await applied(haproxy, configOf({ a: A, z: Z }), { admission });
  assertEquals([outcome.kind, state.confirmed], ["reached", 1]);
  assertEquals(asked.map((candidates) => candidates.map(({ key }) => key)), [["b/a", "b/z"]]);
  assertEquals(
    String(haproxy.model),
    "b/a 10.0.0.5:80 weight 100 ready down\nb/z 10.0.0.6:80 weight 100 ready up",
  );
});

Deno.test("apply() confirms nothing when HAProxy does not know the servers", async () => {
  const haproxy = running(configOf({}));
  haproxy.trouble = { deaf: () => true };
  const { admission, state } = notReady("b/a");
  assertEquals((await applied(haproxy, configOf({ a: A }), { admission })).kind, "incomplete");
  assertEquals(state.confirmed, 0);
});

Deno.test("apply() reloads in the only safe order, the state file removed at the end", async () => {
  const haproxy = running(configOf({ a: A }));
  const { admission, state } = notReady("b/z");
  const desired = configOf({ a: A, z: Z }, FRONTEND);
  const outcome = await applied(haproxy, desired, { admission });
  assertEquals(haproxy.effects, [
    "check",
    "write file",
    "write state file",
    "reload",
    "keep last good",
    "remove state file",
  ]);
  assertEquals([outcome.kind, state.confirmed, haproxy.stateFile], ["reached", 1, undefined]);
  assertEquals(
    String(haproxy.model),
    "b/a 10.0.0.5:80 weight 100 ready up\nb/z 10.0.0.6:80 weight 100 ready down",
  );
});

Deno.test("apply() keeps a server down over a reload whose check fails", async () => {
  const haproxy = running(configOf({ a: A }));
  haproxy.model.run("set server b/a health down");
  await applied(haproxy, configOf({ a: A }, FRONTEND));
  assertEquals(String(haproxy.model), "b/a 10.0.0.5:80 weight 100 ready down");
});

Deno.test("apply() changes nothing when HAProxy refuses the text", async () => {
  const haproxy = running(configOf({ a: A }));
  const alerts = [{ line: 3, server: undefined, message: "no such keyword" }];
  haproxy.trouble = { check: () => ({ kind: "refused", alerts }) };
  const outcome = await applied(haproxy, configOf({ a: A }, FRONTEND));
  assertEquals(outcome, { kind: "refused", alerts });
  assertEquals(haproxy.effects, ["check", "discard staged file"]);
  assertEquals([haproxy.file, haproxy.leftStaged], [joinConfig(configOf({ a: A })), 0]);
});

Deno.test("apply() puts the file back and removes the state file when the reload fails", async () => {
  const haproxy = running(configOf({ a: A }));
  haproxy.trouble = { reload: { kind: "failed", reason: "cannot bind" } };
  const { admission, state } = notReady();
  const outcome = await applied(haproxy, configOf({ a: A }, FRONTEND), { admission });
  assertEquals(outcome, { kind: "reload-failed", reason: "cannot bind" });
  assertEquals(haproxy.effects, [
    "check",
    "write file",
    "write state file",
    "reload",
    "write file",
    "remove state file",
  ]);
  assertEquals(haproxy.file, joinConfig(configOf({ a: A })));
  assertEquals([haproxy.stateFile, state.confirmed], [undefined, 0]);
});

const brokenReloads: Record<string, [error: Error, outcome: string]> = {
  "an error that will pass": [new ControllerError("transient", "Cannot learn the result"), "failed"],
  "a bug": [new TypeError("no function"), "rejects"],
};

for (const [what, [error, expected]] of Object.entries(brokenReloads)) {
  Deno.test(`apply() removes the state file when the reload ends in ${what}`, async () => {
    const haproxy = running(configOf({ a: A }));
    const port = { ...fakePort(haproxy), reload: () => Promise.reject(error) };
    const outcome = applied(haproxy, configOf({ a: A }, FRONTEND), { haproxy: port });
    if (expected === "rejects") await assertRejects(() => outcome, TypeError);
    else assertEquals(await outcome, { kind: "failed", reason: "Cannot learn the result" });
    assertEquals(haproxy.effects.at(-1), "remove state file");
    assertEquals(haproxy.stateFile, undefined);
  });
}

Deno.test("apply() looks again until the new worker answers, and says what is missing when it never does", async () => {
  const haproxy = running(configOf({}));
  const desired = configOf({ a: A }, FRONTEND);
  let looks = 0;
  const old = await haproxy.observe();
  const slow = {
    ...fakePort(haproxy),
    observe: () => ++looks < 3 ? Promise.resolve(old) : haproxy.observe(),
  };
  assertEquals((await applied(haproxy, desired, { haproxy: slow })).kind, "reached");
  assertEquals(looks, 3);

  const deaf = running(configOf({}));
  const never = { ...fakePort(deaf), observe: () => Promise.resolve(old) };
  const outcome = await applied(deaf, desired, { haproxy: never });
  assertEquals(outcome.kind, "failed");
  assertEquals(
    outcome.kind === "failed" &&
      /^HAProxy was reloaded and .*: reload: HAProxy runs base .*; add server b\/a /.test(outcome.reason),
    true,
  );
  assertEquals(deaf.lastGood, undefined);
});

Deno.test("apply() tries to bind what is new, and touches nothing when the address is taken", async () => {
  const before = configOf({ a: A }, FRONTEND);
  const haproxy = running(before);
  haproxy.trouble = { boundByOthers: ":8081" };
  const desired = configOf({ a: A }, FRONTEND.replace("bind :8080", "bind :8080\n    bind :8081"));
  const outcome = await applied(haproxy, desired, { runningBase: before.base });
  assertEquals(outcome, {
    kind: "vetoed",
    reason: "Cannot bind :8081: the address is in use by another process",
  });
  assertEquals(haproxy.effects, ["try to bind :8081"]);
  assertEquals(haproxy.file, joinConfig(before));
});

Deno.test("apply() only writes the file while HAProxy does not run, after a check", async () => {
  const haproxy = running(configOf({}));
  haproxy.trouble = { down: "exit code 1" };
  const outcome = await applied(haproxy, configOf({ a: A }));
  assertEquals(outcome.kind, "reached");
  assertEquals(haproxy.effects, ["check", "write file"]);
});

Deno.test("apply() only looks when there is nothing to do", async () => {
  const haproxy = running(configOf({ a: A }));
  assertEquals((await applied(haproxy, configOf({ a: A }))).kind, "reached");
  assertEquals(haproxy.effects, ["keep last good"]);
});

Deno.test("apply() fails, and does not throw, when HAProxy stops answering amid the steps", async () => {
  const haproxy = running(configOf({}));
  const error = new ControllerError("transient", "Cannot ask HAProxy");
  const port = { ...fakePort(haproxy), observeBackends: () => Promise.reject(error) };
  const outcome = await applied(haproxy, configOf({ a: A }), { haproxy: port });
  assertEquals(outcome, { kind: "failed", reason: "Cannot ask HAProxy" });
});

Deno.test("apply() looks only at the backends that it touched", async () => {
  const config = (weight: string) =>
    splitConfig(`backend b\n    server a ${A.replace("100", weight)}\n\nbackend c\n    server x ${Z}\n`);
  const haproxy = running(config("100"));
  const looked: (readonly string[])[] = [];
  const port = {
    ...fakePort(haproxy),
    observeBackends: (backends: readonly string[]) => {
      looked.push(backends);
      return haproxy.observeBackends(backends);
    },
  };
  const outcome = await applied(haproxy, config("7"), { haproxy: port });
  assertEquals(looked, [["b"]]);
  const servers = outcome.kind === "reached" && outcome.observed.kind === "up"
    ? outcome.observed.servers
    : new Map();
  assertEquals([...servers.keys()], ["b", "c"]);
  assertEquals(servers.get("b")?.get("a")?.weight, 7);
});
