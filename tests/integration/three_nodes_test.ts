import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { getConfig } from "@logtape/logtape";
import http2 from "node:http2";
import tls from "node:tls";
import { ControllerError } from "../../lib/util/errors.ts";
import { type EtcdCluster, Load, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import {
  answerOf,
  type NodeInside,
  runBriefly,
  startNodeInside,
  untilAllAnswer,
} from "../support/node_inside.ts";
import { ProcessFamily } from "../support/process_family.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const END_MS = 20_000;

/** What a process has only once, and what the nodes did to it. */
function watchProcess() {
  const calls: string[] = [];
  const originals = [
    watchCalls(Deno, ["addSignalListener", "removeSignalListener", "exit", "chdir", "umask"], calls),
    watchCalls(Deno.env, ["get", "set", "delete", "has", "toObject"], calls),
    watchCalls(console, ["log", "error", "warn", "info", "debug"], calls),
    watchCalls(Deno.stderr, ["write", "writeSync"], calls),
    watchCalls(Deno.stdout, ["write", "writeSync"], calls),
  ];
  const shared = { http2: http2.connect, tls: tls.connect, cwd: Deno.cwd(), log: getConfig() };
  return {
    calls,
    /** Parts of the process that are not as they were. */
    changed: () => {
      const now = { http2: http2.connect, tls: tls.connect, cwd: Deno.cwd(), log: getConfig() };
      return Object.entries(now).filter(([name, value]) =>
        value !== Object.entries(shared)
          .find(([other]) => other === name)?.[1]
      ).map(([name]) => name);
    },
    [Symbol.dispose]: () => originals.forEach((restore) => restore()),
  };
}

/** Notes the calls that come from lib/, and makes them all. */
function watchCalls(owner: object, names: readonly string[], calls: string[]): () => void {
  const restores = names.map((name) => {
    const original: unknown = Reflect.get(owner, name);
    if (typeof original !== "function") throw new Error(`Cannot watch ${name}: it is no function`);
    const watched = (...args: unknown[]) => {
      const caller = callerInLib();
      if (caller !== undefined) calls.push(`${name}(${args.map(String).join()}) by ${caller}`);
      return Reflect.apply(original, owner, args);
    };
    Object.defineProperty(owner, name, { value: watched, configurable: true, writable: true });
    return () => Object.defineProperty(owner, name, { value: original, configurable: true, writable: true });
  });
  return () => restores.forEach((restore) => restore());
}

/** The file of lib/ that called the function which asks, itself and not by what it imports. */
function callerInLib(): string | undefined {
  const [, , , caller = ""] = new Error().stack?.split("\n") ?? [];
  return /\/lib\/([a-z0-9_/]+\.ts)/.exec(caller)?.[1];
}

/** All HAProxy processes of these nodes that were ever seen. */
class Haproxies {
  readonly #family = new ProcessFamily(Deno.pid);

  constructor(readonly nodes: readonly NodeInside[]) {}

  async look(): Promise<string[]> {
    return (await this.#family.look()).filter((line) => this.#isOurs(line));
  }

  async left(): Promise<string[]> {
    return (await this.#family.left()).filter((line) => this.#isOurs(line));
  }

  #isOurs(line: string): boolean {
    return this.nodes.some(({ dir }) => line.includes(`${dir}/haproxy.cfg`));
  }
}

async function startThree(
  etcd: EtcdCluster,
  stack: AsyncDisposableStack,
): Promise<[NodeInside, NodeInside, NodeInside]> {
  const [a, b, c] = await Promise.all([
    startNodeInside(etcd, "lb1"),
    startNodeInside(etcd, "lb2"),
    startNodeInside(etcd, "lb3"),
  ]);
  return [stack.use(a), stack.use(b), stack.use(c)];
}

Deno.test("three nodes in one process follow, stop one by one, and leave nothing of themselves in it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using stack = new AsyncDisposableStack();
  const [one, two, three] = ["one", "two", "three"].map((name) => stack.use(startOrigin(name)));
  assert(one && two && three);
  const put = (name: string, { address }: typeof one) => etcd.put(`/services/backend/${name}`, address);
  using watched = watchProcess();

  const nodes = await startThree(etcd, stack);
  const [first, second, third] = nodes;
  const haproxies = new Haproxies(nodes);
  await put("one", one);
  await untilAllAnswer(nodes, ["one"]);
  await put("two", two);
  await untilAllAnswer(nodes, ["one", "two"]);
  await etcd.delete("/services/backend/one");
  await untilAllAnswer(nodes, ["two"]);
  // A master and a worker each, at least.
  assert((await haproxies.look()).length >= 6);

  const targets = [second, third].map(({ name, url }) => ({
    ...{ name, url, keepAliveClients: 2, oneShotClients: 2 },
  }));
  await using load = new Load({ targets, pauseMs: 10 });
  load.start();
  await load.firstAnswerFrom("two", { target: "lb2" });
  await load.firstAnswerFrom("two", { target: "lb3" });
  await deadline(first.stop(), END_MS);
  assertEquals(first.takenPorts(), []);
  assertEquals((await haproxies.left()).filter((line) => line.includes(first.dir)), []);
  const after = load.mark("one node has ended");
  await put("three", three);
  for (const target of ["lb2", "lb3"]) await load.firstAnswerFrom("three", { target });
  await load.stop();
  assertEquals(load.chapters.flatMap(({ all }) => all.failures), []);
  assert(after.all.requests > 0);
  await untilAllAnswer([second, third], ["two", "three"]);

  await haproxies.look();
  await deadline(Promise.all([second.stop(), third.stop()]), END_MS);
  assertEquals(await haproxies.left(), []);
  assertEquals(nodes.flatMap((node) => node.takenPorts()), []);
  assertEquals([watched.calls, watched.changed()], [[], []]);

  for (const node of nodes) await deadline(node.openAgain().then(runBriefly), END_MS);
  assertEquals(await haproxies.left(), []);
});

Deno.test("a node that cannot start leaves what it had taken, and the others as they are", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using origin = startOrigin("one");
  await etcd.put("/services/backend/one", origin.address);
  await using running = await startNodeInside(etcd, "lb1");
  await untilAllAnswer([running], ["one"]);

  const locked = await assertRejects(() => running.openAgain(), ControllerError);
  assertEquals(locked.kind, "operator");
  assertStringIncludes(locked.message, "another controller holds its lock");
  assertEquals(await answerOf(running), "one");

  await using other = await startNodeInside(etcd, "lb2");
  await untilAllAnswer([other], ["one"]);
  await deadline(other.stop(), END_MS);
  await Deno.writeTextFile(`${other.dir}/haproxy.cfg`, "global\n    maxconn 5\n");
  const foreign = await assertRejects(() => other.openAgain(), ControllerError);
  assertEquals(foreign.kind, "operator");
  assertStringIncludes(foreign.message, `${other.dir}/haproxy.cfg`);
  const noFile = await assertRejects(
    () => other.openAgain({ "replace-config": true, "user": "lb", "password-file": `${other.dir}/none` }),
    ControllerError,
  );
  assertStringIncludes(noFile.message, `${other.dir}/none`);
  // The lock was released each time: this one gets it.
  await deadline(other.openAgain({ "replace-config": true }).then(runBriefly), END_MS);
  assertEquals(await answerOf(running), "one");
});

Deno.test("a node of which a part fails ends with its HAProxy, and the others continue", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using origin = startOrigin("one");
  await etcd.put("/services/backend/one", origin.address);
  const bug = new TypeError("x is not a function");
  let isBroken = false;
  const failing = await startNodeInside(etcd, "lb1", {
    world: {
      wrapHaproxy: (haproxy) => ({
        ...haproxy,
        processes: () => isBroken ? Promise.reject(bug) : haproxy.processes(),
      }),
    },
  });
  await using _failing = failing;
  await using other = await startNodeInside(etcd, "lb2");
  await untilAllAnswer([failing, other], ["one"]);
  const haproxies = new Haproxies([failing]);
  await haproxies.look();
  const stream = await fetch(`${failing.adminUrl}api/v1/events`, {
    headers: { accept: "text/event-stream" },
  });
  const text = stream.text();

  isBroken = true;
  await etcd.put("/services/backend/two", origin.address);
  assertEquals(await assertRejects(() => deadline(failing.ended, END_MS)), bug);
  assertEquals(await haproxies.left(), []);
  assertEquals(failing.takenPorts(), []);
  // Clients that follow the events are told that they end.
  assertStringIncludes(await deadline(text, END_MS), "event: applied\n");
  isBroken = false;
  await deadline(failing.openAgain().then(runBriefly), END_MS);
  await waitFor("the other node to follow", async () => await answerOf(other) === "one");
});
