// docker-compose.yml and the images, run for real: one stack for all tests of this file. Each test brings it to where it
// needs it first, so that one that fails does not take others along.
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { startProcess, waitFor } from "../../support/mod.ts";
import { docker, missingEngine } from "./docker.ts";
import { assertNoFailure, startLoad } from "./load.ts";
import { SlowRequest } from "./slow_request.ts";
import {
  backendNames,
  compose,
  type ContainerProcess,
  containers,
  etcdctl,
  inspect,
  LB1,
  LB2,
  lines,
  MEMBERS,
  type Node,
  NODES,
  processesOf,
  scaleTo,
  startStack,
  takeDown,
  untilAnswers,
} from "./stack.ts";

const SERVICES = ["backend", "etcd1", "etcd2", "etcd3", "lb1", "lb2"];
const KILLED = 128 + 9;
/** Quiet time after which a backend counts as gone: others answer every few milliseconds. */
const QUIET_MS = 1_000;
const DEADLINE_MS = 60_000;

const missing = await missingEngine();
if (missing === undefined) {
  Deno.test.beforeAll(startStack);
  Deno.test.afterAll(takeDown);
}

/** A test of the stack; skipped, with the reason in its name, where there is no engine. */
function stackTest(name: string, fn: () => Promise<void>): void {
  if (missing === undefined) Deno.test(`docker: ${name}`, fn);
  else Deno.test.ignore(`docker: ${name} [skipped, ${missing}]`, fn);
}

stackTest("the compose file is valid, without a warning", async () => {
  const { success, stderr } = await new Deno.Command("docker", {
    args: ["compose", "--file", "docker-compose.yml", "config", "--quiet"],
    stdin: "null",
  }).output();
  assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
});

stackTest("one up brings all services up and healthy", async () => {
  await scaleTo(1);
  const seen = (await containers()).map(({ Service, State, Health }) => [Service, State, Health].join(" "));
  assertEquals(seen.sort(), SERVICES.map((service) => `${service} running healthy`));
});

stackTest("every backend answers through both nodes", async () => {
  await scaleTo(3);
  const names = await backendNames();
  assertEquals(names.length, 3);
  for (const node of NODES) await untilAnswers(node, names);
});

stackTest("scaling 1 -> 3 -> 1 under load fails no request", async () => {
  await scaleTo(1);
  const [first = ""] = await backendNames();
  for (const node of NODES) await untilAnswers(node, [first]);
  await using load = startLoad(NODES);

  load.mark("up to 3");
  await scaleTo(3);
  const names = await backendNames();
  assertEquals(names.length, 3);
  for (const node of NODES) {
    for (const name of names) {
      await load.firstAnswerFrom(name, { target: node.name, deadlineMs: DEADLINE_MS });
    }
  }
  load.mark("down to 1");
  await scaleTo(1);
  const [left = ""] = await backendNames();
  for (const name of names.filter((name) => name !== left)) {
    await load.lastAnswerFrom(name, { quietMs: QUIET_MS, deadlineMs: DEADLINE_MS });
  }
  await assertNoFailure(load);
});

stackTest("a backend container that is killed fails no request, and comes back", async () => {
  await scaleTo(3);
  const [victim = "", ...others] = await backendNames();
  for (const node of NODES) await untilAnswers(node, [victim, ...others]);
  await using load = startLoad(NODES);
  await load.firstAnswerFrom(victim, { deadlineMs: DEADLINE_MS });
  await docker(["kill", victim]);
  for (const node of NODES) await untilAnswers(node, others);
  await assertNoFailure(load);

  await scaleTo(3);
  const names = await backendNames();
  for (const node of NODES) await untilAnswers(node, names);
});

stackTest("with an etcd container killed, backends still come and go, and no request fails", async () => {
  await scaleTo(1);
  const [first = ""] = await backendNames();
  for (const node of NODES) await untilAnswers(node, [first]);
  await using load = startLoad(NODES);
  await docker(["kill", "etcd2"]);
  // Compose would start the dead member too; a backend whose members are the other two is added beside it.
  await compose(["up", "--detach", "--no-deps", "--scale=backend=2", "backend"]);
  const names = await backendNames();
  assertEquals(names.length, 2);
  for (const node of NODES) await untilAnswers(node, names);
  await assertNoFailure(load);

  await scaleTo(1);
  const etcd2 = (await containers()).find(({ Service }) => Service === "etcd2");
  assertEquals(etcd2?.Health, "healthy");
});

stackTest(
  "with a node's container killed the other keeps serving, and the killed one comes back",
  async () => {
    await scaleTo(2);
    const names = await backendNames();
    for (const node of NODES) await untilAnswers(node, names);
    await using load = startLoad([LB2]);
    await load.firstAnswerFrom(names[0] ?? "", { deadlineMs: DEADLINE_MS });
    await docker(["kill", "lb1"]);
    const killed = (await containers()).find(({ Service }) => Service === "lb1");
    assertEquals([killed?.State, killed?.ExitCode], ["exited", KILLED]);
    await scaleTo(1);
    const left = await backendNames();
    for (const node of NODES) await untilAnswers(node, left);
    await assertNoFailure(load);
  },
);

stackTest("docker stop lets a running request finish and ends with 0", async () => {
  await scaleTo(1);
  for (const node of NODES) await untilAnswers(node, await backendNames());
  using request = await SlowRequest.start(LB1.port);
  await waitFor("the request in HAProxy", () => hasSession(LB1));
  const stopped = docker(["stop", "lb1"]);
  await waitFor("not ready", async () => !(await isReady(LB1)));
  assertMatch(await request.finish(), /^HTTP\/1\.1 200 /);
  await stopped;
  assertEquals(await inspect("lb1", ".State.ExitCode"), 0);
  await scaleTo(1);
});

stackTest("the inspection commands of the README tell what is registered", async () => {
  await scaleTo(2);
  const names = await backendNames();
  const [get, watch] = await readmeCommands();
  const listed = await docker(get);
  names.forEach((name) => assertStringIncludes(listed, `/services/backend/${name}-8080`));

  await using watching = startProcess({ name: "watch", command: "docker", args: watch });
  await waitFor("the watch to see a change", async () => {
    await etcdctl("etcd2", "put", "/services/backend/watched", '{"address":"192.0.2.1:80","state":"maint"}');
    return watching.lines.includes("/services/backend/watched");
  }, { deadlineMs: DEADLINE_MS, everyMs: 500 });
  await etcdctl("etcd2", "del", "/services/backend/watched");
});

stackTest("statistics, metrics and state are published", async () => {
  await scaleTo(1);
  for (const { statsPort, adminPort, name } of NODES) {
    assertEquals((await get(`http://127.0.0.1:${statsPort}/`)).status, 200);
    assertStringIncludes(
      (await get(`http://127.0.0.1:${statsPort}/metrics`)).text,
      'haproxy_backend_status{proxy="backend"',
    );
    assertStringIncludes((await get(`http://127.0.0.1:${adminPort}/metrics`)).text, "etcd_haproxy_ready 1");
    const state = JSON.parse((await get(`http://127.0.0.1:${adminPort}/api/state`)).text);
    assertEquals(state.node, name);
  }
});

stackTest("the nodes' logs are JSON lines", async () => {
  await scaleTo(1);
  for (const { name } of NODES) {
    const records = lines(await docker(["logs", name], { withErrors: true })).map((line) => JSON.parse(line));
    assert(records.some(({ message, node }) => message === "node started" && node === name));
    records.forEach(({ time, level }) =>
      assert(!Number.isNaN(Date.parse(time)) && typeof level === "string")
    );
  }
});

stackTest(
  "containers run without privileges: no root, no capability, only their own files are writable",
  async () => {
    await scaleTo(1);
    const all = await containers();
    for (const { ID, Service } of all.filter(({ Service }) => !MEMBERS.includes(Service))) {
      const users = lines(await docker(["top", ID, "-eo", "uid,pid,args"])).slice(1);
      assert(users.every((line) => !/^\s*0\s/.test(line)), `${Service}: ${users.join("\n")}`);
    }
    for (const { ID } of all) {
      assertEquals(await inspect(ID, ".HostConfig.ReadonlyRootfs"), true);
      assertEquals(await inspect(ID, ".HostConfig.CapDrop"), ["ALL"]);
      assertEquals(await inspect(ID, ".HostConfig.CapAdd"), null);
      assertEquals(await inspect(ID, ".HostConfig.SecurityOpt"), ["no-new-privileges:true"]);
    }
  },
);

const NO_CAPABILITY = "0".repeat(16);
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  lb1: ["etcd-haproxy", "haproxy", "tini"],
  lb2: ["etcd-haproxy", "haproxy", "tini"],
  backend: ["deno", "tini"],
};

stackTest("the kernel lets no process of a container have, or get, a capability", async () => {
  await scaleTo(1);
  for (const { ID, Service } of await containers()) {
    // Again where it fails: the engine's own process may be seen in a container as it becomes a health check.
    await waitFor(`no process of ${Service} with rights`, async () => {
      const processes = await processesOf(ID);
      const names = processes.map(({ name }) => name);
      assertEquals((PROGRAMS[Service] ?? ["etcd"]).filter((name) => !names.includes(name)), []);
      processes.forEach(assertNoRights);
      return true;
    }, { deadlineMs: DEADLINE_MS, everyMs: 500 });
  }
});

function assertNoRights({ name, capabilities, noNewPrivileges }: ContainerProcess): void {
  const held = Object.entries(capabilities).filter(([, set]) => set !== NO_CAPABILITY);
  assertEquals(held, [], name);
  assert(noNewPrivileges, `${name} may gain privileges`);
}

stackTest("a node needs no shell: lb2 has none, and no process of lb1 is one", async () => {
  await scaleTo(1);
  for (const shell of ["/bin/sh", "/bin/bash"]) {
    await docker(["exec", "lb2", shell, "-c", "true"]).then(() => assert(false, `${shell} runs`), () => {});
  }
  const programs = lines(await docker(["top", "lb1", "-eo", "pid,args"])).slice(1).map((line) =>
    line.trim().split(/\s+/)[1]
  );
  assertEquals([...new Set(programs)].sort(), [
    "/tini",
    "/usr/local/bin/etcd-haproxy",
    "/usr/local/sbin/haproxy",
  ]);
});

stackTest("the image says how to stop it, how to tell its health and what it is", async () => {
  const config = await inspect<ImageConfig>("etcd-haproxy", ".Config");
  assertEquals(config.StopSignal, "SIGTERM");
  assertEquals(config.User, "99:99");
  assertEquals(config.Entrypoint, ["/tini", "--", "/usr/local/bin/etcd-haproxy"]);
  assertEquals(config.Healthcheck.Test, ["CMD", "/usr/local/bin/etcd-haproxy", "health"]);
  for (const label of ["title", "description", "licenses", "version", "revision"]) {
    assertNotEquals(config.Labels[`org.opencontainers.image.${label}`], undefined, label);
  }
});

stackTest("compose stop ends everything with 0, and what etcd held is there after a restart", async () => {
  await scaleTo(2);
  await etcdctl("etcd1", "put", "/services/backend/kept", '{"address":"192.0.2.1:80","state":"maint"}');
  await compose(["stop"]);
  const stopped = (await containers()).map(({ Service, State, ExitCode }) =>
    [Service, State, ExitCode].join(" ")
  );
  assertEquals(stopped.sort(), ["backend", ...SERVICES].map((service) => `${service} exited 0`));

  await scaleTo(1);
  assertStringIncludes(await etcdctl("etcd3", "get", "/services/backend/kept"), "192.0.2.1:80");
  for (const node of NODES) await untilAnswers(node, await backendNames());
  await etcdctl("etcd1", "del", "/services/backend/kept");
});

interface ImageConfig {
  readonly StopSignal: string;
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly Labels: Readonly<Record<string, string>>;
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

async function isReady({ adminPort }: Node): Promise<boolean> {
  return (await get(`http://127.0.0.1:${adminPort}/readyz`)).status === 200;
}

async function hasSession({ statsPort }: Node): Promise<boolean> {
  const { text } = await get(`http://127.0.0.1:${statsPort}/metrics`);
  return /^haproxy_backend_current_sessions\{proxy="backend"\} [1-9]/m.test(text);
}

/** The arguments of the README's `docker exec` commands: one that lists, one that watches. */
async function readmeCommands(): Promise<[string[], string[]]> {
  const readme = await Deno.readTextFile(new URL("../../../README.md", import.meta.url));
  const commands = readme.split("\n").filter((line) => line.startsWith("docker exec "))
    .map((line) => line.split(/\s+/).slice(1));
  const [list, watch] = ["get", "watch"].map((verb) => commands.find((words) => words.includes(verb)));
  if (list === undefined || watch === undefined) throw new Error("Cannot find the README's commands");
  return [list, watch];
}
