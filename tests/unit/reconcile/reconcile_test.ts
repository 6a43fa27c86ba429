import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { splitConfig } from "../../../lib/config/text.ts";
import { ControllerError } from "../../../lib/util/errors.ts";
import { INITIAL_STATE } from "../../../lib/reconcile/state.ts";
import { findFile } from "../../../lib/guard/known_files.ts";
import { describePlan } from "../../../lib/plan/plan.ts";
import { EMBEDDED, FOUR, guardedWorld, runningWorld, World } from "./world.ts";

const A = "10.0.0.5:80";
const upAt = (id: string, address: string) => `backend/${id} ${address} weight 100 ready up`;

Deno.test("reconcile() adds, changes and removes servers without a reload", async () => {
  const world = await runningWorld({ "backend/a": A, "backend/b": "10.0.0.6:80" });
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
  world.put("backend/a", { address: "10.0.0.7:80", weight: 7 });
  world.put("backend/c", "10.0.0.8:80");
  world.delete("backend/b");
  const { plan, outcome, requeue } = await world.pass();
  assertEquals(describePlan(plan), [
    "remove server backend/b: no entry asks for it",
    "address server backend/a 10.0.0.7 port 80: it is at 10.0.0.5 port 80, asked for at revision 3",
    "weight server backend/a 7: it has weight 100, asked for at revision 3",
    "add server backend/c 10.0.0.8:80 weight 100 check: asked for at revision 4",
  ]);
  assertEquals([outcome?.kind, requeue.kind], ["reached", "when-changed"]);
  assertEquals(world.servers, ["backend/a 10.0.0.7:80 weight 7 ready up", upAt("c", "10.0.0.8:80")]);
  assertEquals(world.haproxy.effects.includes("reload"), false);
});

Deno.test("reconcile() touches neither file nor HAProxy when there is nothing to do", async () => {
  const world = await runningWorld({ "backend/a": A });
  for (const full of [false, true]) {
    const { plan, requeue } = await world.pass({ full });
    assertEquals([plan.kind, requeue.kind, world.haproxy.takeEffects()], ["nothing", "when-changed", [
      "keep last good",
    ]]);
  }
});

Deno.test("reconcile() adds at once while changes are still coming, and removes when they stopped", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.put("backend/b", "10.0.0.6:80");
  assertEquals((await world.pass({ quiet: false })).outcome?.kind, "reached");
  world.delete("backend/a");
  const { outcome, pace } = await world.pass({ quiet: false });
  assertEquals([outcome, pace.kind], [undefined, "later"]);
  world.put("backend/a", A);
  assertEquals((await world.pass()).plan.kind, "nothing");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() asks removed servers with requests again until they are gone", async () => {
  const world = await runningWorld({ "backend/a": A, "backend/b": "10.0.0.6:80" });
  const server = world.haproxy.model.server("backend/b");
  if (server === undefined) throw new Error("backend/b does not run");
  server.connections = 1;
  world.delete("backend/b");
  const first = await world.pass();
  assertEquals([first.outcome?.kind, first.requeue], ["reached", { kind: "at", at: world.now + 100 }]);
  const second = await world.pass();
  assertEquals([second.drift, second.requeue], [0, { kind: "at", at: world.now + 200 }]);
  server.connections = 0;
  assertEquals((await world.pass()).requeue.kind, "when-changed");
  assertEquals(world.servers, [upAt("a", A)]);
});

Deno.test("reconcile() takes a server back that comes again while it drains, with its new address", async () => {
  const world = await runningWorld({ "backend/a": A, "backend/b": "10.0.0.6:80" });
  const server = world.haproxy.model.server("backend/b");
  if (server === undefined) throw new Error("backend/b does not run");
  server.connections = 1;
  world.delete("backend/b");
  await world.pass();
  world.put("backend/b", "10.0.0.9:80");
  assertEquals((await world.pass()).outcome?.kind, "reached");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.9:80")]);
  assertEquals(server.connections, 1);
});

Deno.test("reconcile() undoes changes by hand when it looks at everything, and counts them", async () => {
  const world = await runningWorld({ "backend/a": A, "backend/b": "10.0.0.6:80" });
  world.haproxy.model.run("set server backend/a state drain; set server backend/b weight 1");
  world.haproxy.model.run("set server backend/b addr 10.9.9.9 port 1");
  assertEquals((await world.pass()).plan.kind, "nothing");
  const { drift, outcome } = await world.pass({ full: true });
  assertEquals([drift, outcome?.kind], [3, "reached"]);
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() counts no drift for what the registry asks for", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.put("backend/a", { address: A, weight: 7 });
  assertEquals((await world.pass()).drift, 0);
});

Deno.test("reconcile() goes by a reload, in the same pass, when steps twice had no effect", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.haproxy.trouble = { deaf: (line) => line.startsWith("add") };
  world.put("backend/b", "10.0.0.6:80");
  const { plan, outcome } = await world.pass();
  assertEquals(describePlan(plan)[0], "reload: steps at run time had no effect");
  assertEquals(outcome?.kind, "reached");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
  const kinds = world.haproxy.effects.filter((effect) => /^(add|reload)/.test(effect)).map((effect) =>
    effect.split(" ", 1)[0]
  );
  assertEquals(kinds, ["add", "add", "reload"]);
  world.haproxy.trouble = {};
  world.put("backend/c", "10.0.0.7:80");
  assertEquals((await world.pass()).plan.kind, "runtime");
});

Deno.test("reconcile() reloads for a new service, and leaves its section when it goes", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.put("api/x", "10.0.0.8:80");
  assertEquals((await world.pass()).plan.kind, "reload");
  world.now += 60_000;
  await world.pass();
  world.haproxy.takeEffects();
  world.delete("api/x");
  const gone = await world.pass();
  assertEquals([gone.plan.kind, gone.outcome?.kind], ["runtime", "reached"]);
  assertStringIncludes(world.haproxy.file ?? "", "backend api");
  world.put("api/y", "10.0.0.9:80");
  assertEquals((await world.pass()).plan.kind, "runtime");
  assertEquals(world.haproxy.effects.includes("reload"), false);
  assertEquals(world.servers, ["api/y 10.0.0.9:80 weight 100 ready up", upAt("a", A)]);
});

Deno.test("reconcile() follows endpoints on the good base while a reload has to wait", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.put("api/x", "10.0.0.8:80");
  await world.pass();
  await world.pass();
  const endedAt = world.now;
  world.put("shop/y", "10.0.0.9:80");
  world.put("backend/b", "10.0.0.6:80");
  world.haproxy.takeEffects();
  const waiting = await world.pass();
  assertEquals([waiting.plan.kind, waiting.outcome?.kind], ["runtime", "reached"]);
  assertEquals([waiting.desired.base, waiting.desired.pendingBackends], ["last-good", ["shop"]]);
  assertEquals(waiting.requeue, { kind: "at", at: endedAt + 1_000 });
  assertEquals(world.servers.includes(upAt("b", "10.0.0.6:80")), true);
  assertEquals(world.haproxy.effects.includes("reload"), false);
  world.now = endedAt + 1_000;
  const due = await world.pass();
  assertEquals([due.plan.kind, due.outcome?.kind, due.desired.base], ["reload", "reached", "rendered"]);
  assertEquals(world.servers.includes("shop/y 10.0.0.9:80 weight 100 ready up"), true);
});

Deno.test("reconcile() goes on with the good base at once when HAProxy refuses a new one, and tries it again", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.template = `${EMBEDDED}\nfrontend broken\n    bogus\n`;
  world.haproxy.trouble = {
    check: (text) =>
      text.includes("bogus")
        ? {
          kind: "refused",
          alerts: [{ line: undefined, server: undefined, message: "unknown keyword 'bogus'" }],
        }
        : { kind: "valid" },
  };
  world.put("backend/b", "10.0.0.6:80");
  const { outcome, refusedBase, desired, requeue } = await world.pass();
  assertEquals([outcome?.kind, desired.base, refusedBase?.reason], [
    "reached",
    "last-good",
    "unknown keyword 'bogus'",
  ]);
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
  assertEquals(requeue, { kind: "at", at: world.now + 500 });
  assertEquals(world.haproxy.effects.includes("reload"), false);

  world.now += 500;
  assertEquals((await world.pass()).refusedBase?.attempts, 2);
  world.haproxy.trouble = {};
  world.now += 5_000;
  const repaired = await world.pass();
  assertEquals([repaired.outcome?.kind, repaired.desired.base, repaired.refusedBase], [
    "reached",
    "rendered",
    undefined,
  ]);
});

Deno.test("reconcile() keeps the good base when the address of the new one is taken", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.template = EMBEDDED.replace("bind <%= it.bind %>", "bind <%= it.bind %>\n    bind :9999");
  world.haproxy.trouble = { boundByOthers: ":9999" };
  world.put("backend/b", "10.0.0.6:80");
  const { outcome, refusedBase } = await world.pass();
  assertEquals([outcome?.kind, refusedBase?.reason], [
    "reached",
    "Cannot bind :9999: the address is in use by another process",
  ]);
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() puts the file back when a new base fails to load, and goes on with the good one", async () => {
  const world = await runningWorld({ "backend/a": A });
  const before = world.haproxy.file;
  world.template = `${EMBEDDED}\nbackend extra\n`;
  world.haproxy.trouble = { reload: { kind: "failed", reason: "cannot load" } };
  const { outcome, refusedBase } = await world.pass();
  assertEquals([outcome?.kind, refusedBase?.reason, world.haproxy.file === before], [
    "reached",
    "cannot load",
    true,
  ]);
});

Deno.test("reconcile() leaves out the entry that HAProxy names, and serves the rest in the same pass", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.haproxy.trouble = {
    check: (text) => {
      const line = text.split("\n").findIndex((line) => line.includes("server bad ")) + 1;
      return line === 0
        ? { kind: "valid" }
        : { kind: "refused", alerts: [{ line, server: undefined, message: "no such thing" }] };
    },
  };
  world.put("backend/bad", "bad.invalid:80");
  world.put("backend/b", "10.0.0.6:80");
  const { outcome, model } = await world.pass();
  assertEquals(outcome?.kind, "reached");
  assertEquals(model.rejections, [
    { key: "/services/backend/bad", reason: "HAProxy refuses it: no such thing", revision: 2n },
  ]);
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() goes on with the good base when the template fails", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.template = "<%= it.nothing.here %>";
  world.put("backend/b", "10.0.0.6:80");
  const { outcome, refusedBase } = await world.pass();
  assertEquals(outcome?.kind, "reached");
  assertStringIncludes(refusedBase?.reason ?? "", "Cannot render the template");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() cannot make a pass when the template fails and there is no good base", async () => {
  const world = new World();
  world.haproxy.trouble = { down: "starting" };
  world.template = "<%= it.nothing.here %>";
  await assertRejects(() => world.pass(), ControllerError, "Cannot render the template");
});

Deno.test("reconcile() brings a HAProxy that it adopts to what is wanted without a reload", async () => {
  const before = await runningWorld({ "backend/a": A });
  const world = new World();
  world.haproxy.boot(before.haproxy.file ?? "");
  world.put("backend/a", A);
  world.put("backend/b", "10.0.0.6:80");
  const { plan } = await world.pass();
  assertEquals(plan.kind, "runtime");
  assertEquals(world.state.goodBase, splitConfig(before.haproxy.file ?? "").base);
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() finishes what a controller that was killed left half done", async () => {
  const before = await runningWorld({ "backend/a": A });
  // Written, and killed before the first step.
  before.put("backend/b", "10.0.0.6:80");
  before.haproxy.trouble = { deaf: () => true };
  await before.pass();
  const world = new World();
  world.haproxy.boot(before.haproxy.file ?? "");
  world.haproxy.model.run("set server backend/b state maint; del server backend/b");
  world.put("backend/a", A);
  world.put("backend/b", "10.0.0.6:80");
  const { plan } = await world.pass();
  assertEquals(plan.kind, "runtime");
  assertEquals(world.haproxy.effects.filter((effect) => effect === "write file" || effect === "reload"), []);
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() writes for a HAProxy that does not run, and has nothing to do when it starts from that", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.haproxy.trouble = { down: "it ended" };
  world.put("backend/b", "10.0.0.6:80");
  assertEquals((await world.pass()).plan, { kind: "write", reason: "HAProxy does not run: it ended" });
  world.haproxy.trouble = {};
  world.haproxy.boot(world.haproxy.file ?? "");
  assertEquals((await world.pass()).plan.kind, "nothing");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() never changes anything at run time when it is told not to", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.ports = { ...world.ports, mode: "reload" };
  world.put("backend/b", "10.0.0.6:80");
  assertEquals((await world.pass()).plan.kind, "reload");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

Deno.test("reconcile() knows the base of a HAProxy that it adopts from the file, should the template fail", async () => {
  const before = await runningWorld({ "backend/a": A });
  const world = new World();
  world.haproxy.boot(before.haproxy.file ?? "");
  world.template = "<%= it.nothing.here %>";
  world.put("backend/a", A);
  world.put("backend/b", "10.0.0.6:80");
  assertEquals((await world.pass()).outcome?.kind, "reached");
  assertEquals(world.servers, [upAt("a", A), upAt("b", "10.0.0.6:80")]);
});

const names = (world: World) => world.servers.map((line) => line.split(" ", 1)[0]);

Deno.test("reconcile() serves on what the guard holds, in file and HAProxy alike, and looks again soon", async () => {
  const { world, deleteAll } = await guardedWorld();
  deleteAll();
  const { held, model, requeue } = await world.pass();
  assertEquals(held.map(({ server }) => server.id), ["c", "d"]);
  assertEquals([model.revision, requeue], [8n, { kind: "at", at: world.now + 500 }]);
  assertEquals(names(world), ["backend/c", "backend/d"]);
  assertEquals(/server [ab] /.test(world.haproxy.file ?? ""), false);
  assertEquals((await world.pass()).plan.kind, "nothing");
  world.now += 30_000;
  assertEquals((await world.pass()).requeue.kind, "when-changed");
  assertEquals(names(world), []);
});

Deno.test("reconcile() asks HAProxy for the health of missing servers, not its memory", async () => {
  const { world, deleteAll } = await guardedWorld();
  world.haproxy.model.run("set server backend/c health down");
  deleteAll();
  await world.pass();
  assertEquals(names(world), ["backend/b", "backend/d"]);
});

Deno.test("reconcile() begins no new window after a restart", async () => {
  const { world, deleteAll } = await guardedWorld();
  deleteAll();
  await world.pass();
  world.state = INITIAL_STATE;
  world.now += 10_000;
  await world.pass();
  assertEquals(names(world), ["backend/c", "backend/d"]);
  world.now += 20_000;
  await world.pass();
  assertEquals(names(world), []);
});

Deno.test("reconcile() guards what the file holds when the registry lost it while no controller ran", async () => {
  const { world, deleteAll } = await guardedWorld();
  deleteAll();
  world.state = INITIAL_STATE;
  await world.pass();
  assertEquals(names(world), ["backend/c", "backend/d"]);
});

Deno.test("reconcile() puts who leaves on record before it tells HAProxy", async () => {
  const { world, guard } = await guardedWorld();
  const recorded: number[] = [];
  const change = world.haproxy.change.bind(world.haproxy);
  world.haproxy.change = (steps, held) => {
    recorded.push(guard.record.departures.length);
    return change(steps, held);
  };
  world.delete("backend/a");
  await world.pass();
  assertEquals([recorded, guard.record.departures.length], [[1], 1]);
});

Deno.test("reconcile() does not count a departure that was put off", async () => {
  const { world, guard } = await guardedWorld();
  world.delete("backend/a");
  assertEquals((await world.pass({ quiet: false })).outcome, undefined);
  assertEquals(guard.record.departures, []);
  world.put("backend/a", FOUR["backend/a"]);
  await world.pass();
  assertEquals([guard.record.departures.length, guard.record.missingSince.size], [0, 0]);
});

Deno.test("reconcile() guards what HAProxy was started from, not what the file held before", async () => {
  const { world, deleteAll } = await guardedWorld();
  deleteAll();
  world.state = INITIAL_STATE;
  const { file } = world.haproxy;
  world.haproxy.trouble = { starting: true };
  world.haproxy.file = undefined;
  await world.pass();
  world.haproxy.trouble = {};
  world.haproxy.file = file;
  await world.pass();
  assertEquals(names(world), ["backend/c", "backend/d"]);
});

Deno.test("reconcile() follows after a restart with a guard, should the template fail", async () => {
  const { world } = await guardedWorld();
  world.state = INITIAL_STATE;
  world.template = "<%= it.nothing.here %>";
  world.put("backend/e", "10.0.0.9:80");
  assertEquals((await world.pass()).outcome?.kind, "reached");
  assertEquals(names(world).at(-1), "backend/e");
});

const TUNED = EMBEDDED.replace("<%= it.serverLine(server) %>", "<%= it.serverLine(server) %> slowstart 10s") +
  "\nbackend static\n    server old 10.9.9.9:80 weight 1\n";

Deno.test("reconcile() holds after a restart what it held before, should the template fail", async () => {
  const { world, deleteAll } = await guardedWorld();
  world.template = TUNED;
  await world.pass();
  deleteAll();
  world.put("backend/e", "10.0.0.9:80");
  await world.pass();
  const before = world.servers;
  assertEquals(names(world), ["backend/c", "backend/d", "backend/e", "static/old"]);
  world.state = INITIAL_STATE;
  world.template = "<%= it.nothing.here %>";
  world.now += 10_000;
  const { held, plan } = await world.pass();
  assertEquals(held.map(({ server, until }) => [server.id, until - world.now]), [["c", 20_000], [
    "d",
    20_000,
  ]]);
  assertEquals([plan.kind, world.servers], ["nothing", before]);
  world.now += 20_000;
  await world.pass();
  assertEquals(names(world), ["backend/e", "static/old"]);
});

Deno.test("reconcile() guards what the registry lost while no controller ran, if the template fails", async () => {
  const { world } = await guardedWorld();
  for (const id of ["b", "c", "d"]) world.delete(`backend/${id}`);
  world.state = INITIAL_STATE;
  world.template = "<%= it.nothing.here %>";
  const { held } = await world.pass();
  assertEquals(held.map(({ server }) => server.id), ["d"]);
  assertEquals(names(world), ["backend/a", "backend/d"]);
});

Deno.test("reconcile() keeps servers that a template has of its own in a service, should it fail after a restart", async () => {
  const { world } = await guardedWorld();
  world.template = EMBEDDED.replace(
    "<%   } %>\n\n<% } -%>",
    "<%   } %>\n    server own 10.9.9.8:80 weight 1\n\n<% } -%>",
  );
  world.delete("backend/a");
  await world.pass();
  assertEquals(names(world), ["backend/b", "backend/c", "backend/d", "backend/own"]);
  world.state = INITIAL_STATE;
  world.template = "<%= it.nothing.here %>";
  world.delete("backend/b");
  await world.pass();
  assertEquals(names(world), ["backend/c", "backend/d", "backend/own"]);
});

const RENAMED = `${EMBEDDED}
<% for (const { name, servers } of it.services) { %>
backend pool-<%= name %>
    balance first
<%   for (const server of servers) { %>
    <%= it.serverLine(server) %>
<%   } %>
<% } %>`;

Deno.test("reconcile() guards after a restart whatever a template makes of its services", async () => {
  const { world, deleteAll } = await guardedWorld();
  world.template = RENAMED;
  await world.pass();
  deleteAll();
  world.state = INITIAL_STATE;
  const { held } = await world.pass();
  assertEquals(held.map(({ server }) => server.id), ["c", "d"]);
});

Deno.test("reconcile() holds nothing of a file that is not on record, and knows the next one", async () => {
  const { world, deleteAll } = await guardedWorld();
  world.delete("backend/a");
  world.state = INITIAL_STATE;
  world.haproxy.file = `${world.haproxy.file}# written by another hand\n`;
  const first = await world.pass();
  assertEquals([first.held, names(world)], [[], ["backend/b", "backend/c", "backend/d"]]);
  deleteAll();
  assertEquals((await world.pass()).held.map(({ server }) => server.id), ["c", "d"]);
});

Deno.test("reconcile() does not replace the record of an earlier run before it has read it", async () => {
  const { world, guard, deleteAll } = await guardedWorld();
  const before = guard.record;
  deleteAll();
  world.state = INITIAL_STATE;
  world.haproxy.trouble = { starting: true };
  await world.pass();
  assertEquals(guard.record === before, true);
});

Deno.test("reconcile() has the next file on record before it writes it, and then the last good one too", async () => {
  const { world, guard } = await guardedWorld();
  const good = world.haproxy.file;
  const seen: unknown[] = [];
  const stage = world.haproxy.stageConfig.bind(world.haproxy);
  world.haproxy.stageConfig = (text) => {
    seen.push([text, good].map((text) => findFile(guard.record.files, text)?.services[0]?.servers.length));
    return stage(text);
  };
  world.template = `${EMBEDDED}\nbackend extra\n`;
  world.put("backend/e", "10.0.0.9:80");
  world.haproxy.trouble = { reload: { kind: "failed", reason: "cannot load" } };
  await world.pass();
  // The new base, the last good one again, and the new server in the last good one.
  assertEquals(seen, [[5, 4], [4, 4], [5, 4]]);
});

Deno.test("reconcile() tells which base ran before it, also after a restart with another template", async () => {
  const world = await runningWorld({ "backend/a": A });
  const before = await world.pass();
  world.state = INITIAL_STATE;
  world.template = TUNED;
  const after = await world.pass();
  assertEquals(after.runningBase, before.desired.config.base);
  assertEquals(after.runningBase === after.desired.config.base, false);
});

Deno.test("reconcile() leaves what a template wrote in its own way, should the template fail", async () => {
  const world = await runningWorld({ "backend/a": A });
  world.template = TUNED;
  await world.pass();
  world.haproxy.takeEffects();
  const before = world.servers;
  world.template = "<%= it.nothing.here %>";
  const { plan } = await world.pass();
  assertEquals([describePlan(plan), world.servers], [[], before]);
});
