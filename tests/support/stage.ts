import type { EtcdCluster } from "../../tools/local/etcd_cluster.ts";
import type { EtcdMember } from "../../tools/local/etcd_member.ts";
import { Load } from "../../tools/local/load.ts";
import { duration } from "../../tools/local/terminal.ts";
import { waitFor } from "../../tools/local/wait.ts";
import type { ProblemKind } from "../../lib/node/problems.ts";
import type { Namespace } from "./namespace.ts";
import { type Mark, type NodeState, type TestNode, testNode } from "./node.ts";
import type { Origin } from "./origin.ts";
import { StageRegistry } from "./stage_registry.ts";
import { startTcpProxy, type TcpProxy } from "./tcp_proxy.ts";

const DEADLINE_MS = 60_000;
/** Long enough for a request that HAProxy tries again elsewhere: connect and one retry. */
const REQUEST_TIMEOUT_MS = 10_000;

/** What a stage is made of; the part of a scenario that it needs to know. */
export interface StageOptions {
  readonly scenario: {
    readonly nodeArgs?: readonly string[];
    readonly leaseSeconds?: number;
    readonly cuttable?: true;
  };
  readonly namespace: Namespace | undefined;
  /** What each client waits between an answer and its next request, in milliseconds. */
  readonly pauseMs: number;
  /** What passes between two looks at a node, in milliseconds: how exact the times of a report are. */
  readonly lookEveryMs: number;
  readonly onNote: (text: string) => void;
}

/** What clients and clocks saw. Times in milliseconds; undefined: the scenario has no such moment. */
export interface StageReport {
  readonly requests: number;
  readonly failed: number;
  /** Failures by kind, such as `3 x status 503`. */
  readonly failures: readonly string[];
  /** From the fault until every node said that something is wrong. */
  readonly noticedMs: number | undefined;
  /** From the end of the fault until every node served what the registry says, and called itself well. */
  readonly rightMs: number | undefined;
}

/**
 * Where a scenario plays: etcd, nodes, servers and clients, and a clock for the two moments that count.
 *
 * A scenario says `fault()`, `noticed()`, `over()` and `rightAgain()` in this order.
 */
export class Stage implements AsyncDisposable {
  readonly etcd: EtcdCluster;
  /** Whatever a scenario opens besides can be put here; it is closed at the end. */
  readonly closing = new AsyncDisposableStack();
  readonly nodes: TestNode[] = [];
  /** With `cuttable`: the proxy between the nodes and each member of etcd, in the order of the members. */
  readonly cables: TcpProxy[] = [];
  readonly #options: StageOptions;
  readonly #registry: StageRegistry;
  readonly #loads: Load[] = [];
  #faultAt: number | undefined;
  /** What the nodes had told when the fault began, in their order. */
  #marks: readonly Mark[] = [];
  #overAt: number | undefined;
  #noticedMs: number | undefined;
  #rightMs: number | undefined;

  constructor(etcd: EtcdCluster, options: StageOptions) {
    this.etcd = etcd;
    this.#options = options;
    this.#registry = new StageRegistry(etcd, options.scenario.leaseSeconds);
  }

  /** The running servers that the registry should name, by id. */
  get origins(): ReadonlyMap<string, Origin> {
    return this.#registry.origins;
  }

  /** The first node, and in most scenarios the only one. */
  get node(): TestNode {
    const [node] = this.nodes;
    if (node === undefined) throw new Error("Cannot use the node: the stage has none");
    return node;
  }

  /** With `namespaced`: where the last member of etcd lives. */
  get namespace(): Namespace {
    const { namespace } = this.#options;
    if (namespace === undefined) throw new Error("Cannot use the namespace: the scenario has none");
    return namespace;
  }

  /** The clients; they run from `startLoad()` on. */
  get load(): Load {
    const load = this.#loads.at(-1);
    if (load === undefined) throw new Error("Cannot use the load: it was not started");
    return load;
  }

  /** Prints what happens. */
  note(text: string): void {
    this.#options.onNote(text);
  }

  /** Starts and registers the servers that are there from the start: `one`, `two` and so on. */
  async addOrigins(count: number): Promise<void> {
    for (const id of ["one", "two", "three", "four", "five"].slice(0, count)) await this.register(id);
  }

  /** Makes nodes; nothing runs on them yet. */
  async addNodes(count: number): Promise<void> {
    const { nodeArgs: args = [], cuttable } = this.#options.scenario;
    if (cuttable) this.#addCables();
    const endpoints = cuttable
      ? this.cables.map(({ port }) => `http://127.0.0.1:${port}`)
      : this.etcd.endpoints;
    for (let i = 0; i < count; i++) {
      const node = await testNode({ endpoints, args: ["--node-id", nodeName(i), ...args] });
      this.nodes.push(this.closing.use(node));
    }
  }

  /** Starts a controller on every node, and waits until all serve what is registered. */
  async startNodes(): Promise<void> {
    for (const node of this.nodes) node.start();
    await this.untilRight();
  }

  /** Starts clients against every node: one half keep their connection, the others open one for each request. */
  async startLoad(): Promise<void> {
    const targets = this.nodes.map((node, index) => ({
      name: nodeName(index),
      url: node.url,
      keepAliveClients: 3,
      oneShotClients: 3,
    }));
    const load = new Load({ targets, timeoutMs: REQUEST_TIMEOUT_MS, pauseMs: this.#options.pauseMs });
    this.#loads.push(this.closing.use(load));
    load.start();
    await this.#untilAnswersFromAll();
  }

  /** Stops the clients; `startLoad()` starts others. What they have counted stays. */
  async stopLoad(): Promise<void> {
    await this.#loads.at(-1)?.stop();
  }

  /** Starts a server and registers it in the service `backend`; every node must serve it before `rightAgain()` is true. */
  register(id: string): Promise<Origin> {
    return this.#registry.register(id);
  }

  /** Takes a server out of the registry, so no node may serve it at the end. It keeps answering. */
  unregister(id: string): Promise<void> {
    return this.#registry.unregister(id);
  }

  /** The registry was put back to what it once held, by a copy of `origins` from then. */
  registryIs(origins: ReadonlyMap<string, Origin>): void {
    this.#registry.is(origins);
  }

  /** The member of etcd that the first node watches, and the two others. */
  async watchedMember(): Promise<{ watched: EtcdMember; others: EtcdMember[] }> {
    const { etcd } = await this.node.untilState("a watch", ({ etcd }) => etcd.kind === "watching");
    const { members } = this.etcd;
    const ids = (await Promise.all(members.map((member) => member.status()))).map(({ id }) => id);
    const watched = members[ids.indexOf(etcd.member ?? "")];
    if (watched === undefined) throw new Error(`Cannot find member ${etcd.member} among ${ids.join(", ")}`);
    return { watched, others: members.filter((member) => member !== watched) };
  }

  /** Makes the first node watch this member, by taking away the one that it watches until it is the right one. */
  async watchOn(member: EtcdMember): Promise<void> {
    for (;;) {
      const { watched } = await this.watchedMember();
      if (watched === member) return;
      const errors = await this.node.metric("etcd_errors_total");
      await watched.kill();
      await this.node.untilMore("etcd_errors_total", errors);
      await watched.start();
    }
  }

  /** Breaks something. The clock of `noticed()` starts before `work` does. */
  async fault(what: string, work: () => void | Promise<void>): Promise<void> {
    this.note(`fault: ${what}`);
    this.#faultAt = performance.now();
    this.#marks = this.nodes.map((node) => node.mark());
    this.#loads.at(-1)?.mark("fault");
    await work();
  }

  /**
   * Waits until every node says that something is wrong: in its state, or in whatever else `says` looks at. It must last
   * until it has been seen; `told()` is for what may be over before that.
   */
  async noticed(
    what: string,
    says: (state: NodeState, node: TestNode) => boolean | Promise<boolean>,
  ): Promise<void> {
    await this.#onEachNode(what, async (node) => await says(await node.state(), node));
    this.#hasNoticed(what);
  }

  /**
   * Waits until every node has told of this problem since the fault, be it over by now or not. Until then a node must be
   * ready whenever it is looked at.
   */
  async told(what: string, kind: ProblemKind): Promise<void> {
    const unready: string[] = [];
    await this.#onEachNode(what, async (node) => {
      const isTold = node.hasTold(kind, { since: this.#marks[this.nodes.indexOf(node)] ?? node.mark() });
      const { readiness } = await node.state();
      if (!readiness.ready) unready.push(JSON.stringify(readiness));
      return isTold;
    });
    if (unready.length > 0) throw new Error(`Cannot call it ready: a node was ${unready.join(", ")}`);
    this.#hasNoticed(what);
  }

  /** Waits until every node serves exactly what is registered and reports no problem, also during the fault. */
  async untilRight(): Promise<void> {
    await this.#onEachNode("a node that is right", (node) => this.#isRight(node));
  }

  /** Ends the fault. The clock of `rightAgain()` starts when `work` is done. */
  async over(what: string, work: () => void | Promise<void> = () => {}): Promise<void> {
    await work();
    this.note(`over: ${what}`);
    this.#overAt = performance.now();
    this.#loads.at(-1)?.mark("over");
  }

  /**
   * Registers one more server, and waits until every node serves exactly what is registered, answers of every server have
   * come through it since the fault was over, and it calls itself well.
   */
  async rightAgain(): Promise<void> {
    const since = this.#overAt;
    if (since === undefined) throw new Error("Cannot wait for the end: the fault is not over");
    await this.register("after");
    await Promise.all([this.untilRight(), this.#untilAnswersFromAll(), this.#untilNoProblem()]);
    this.#rightMs = performance.now() - since;
    this.note(`right again after ${duration(this.#rightMs)}`);
  }

  /** Stops the clients, and returns the results. */
  async finish(): Promise<StageReport> {
    await this.stopLoad();
    const chapters = this.#loads.flatMap(({ chapters }) => chapters);
    const kinds = new Map<string, number>();
    for (const { all } of chapters) {
      for (const [kind, count] of all.kinds) kinds.set(kind, count + (kinds.get(kind) ?? 0));
    }
    return {
      requests: chapters.reduce((sum, { all }) => sum + all.requests, 0),
      failed: chapters.reduce((sum, { all }) => sum + all.failed, 0),
      failures: [...kinds].map(([kind, count]) => `${count} x ${kind}`),
      noticedMs: this.#noticedMs,
      rightMs: this.#rightMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopLoad();
    await this.closing.disposeAsync();
    await this.#registry[Symbol.asyncDispose]();
  }

  #hasNoticed(what: string): void {
    const since = this.#faultAt;
    if (since === undefined) throw new Error("Cannot tell when it was noticed: there was no fault");
    this.#noticedMs = performance.now() - since;
    this.note(`noticed after ${duration(this.#noticedMs)}: ${what}`);
  }

  #addCables(): void {
    for (const { endpoint } of this.etcd.members) {
      this.cables.push(this.closing.use(startTcpProxy(Number(new URL(endpoint).port))));
    }
  }

  async #isRight(node: TestNode): Promise<true> {
    const { readiness, etcd, haproxy, nodeKeys, revision } = await node.state();
    const isWell = readiness.ready && readiness.stale === false && etcd.kind === "watching" &&
      haproxy.kind === "up" && nodeKeys.kind === "published";
    if (!isWell) throw new Error(JSON.stringify({ readiness, etcd, haproxy, nodeKeys, revision }));
    const names = (await node.runningServers("backend")).map(({ name }) => name).sort().join();
    const wanted = [...this.origins.keys()].sort().join();
    if (names !== wanted) throw new Error(`HAProxy runs ${names} instead of ${wanted}`);
    return true;
  }

  async #untilNoProblem(): Promise<void> {
    await this.#onEachNode("a node without problems", async (node) => {
      const { problems } = await node.state();
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
      return true;
    });
  }

  async #untilAnswersFromAll(): Promise<void> {
    const names = [...this.origins.keys()];
    await Promise.all(
      this.nodes.flatMap((_, index) =>
        names.map((name) =>
          this.load.firstAnswerFrom(name, { target: nodeName(index), deadlineMs: DEADLINE_MS })
        )
      ),
    );
  }

  async #onEachNode(what: string, condition: (node: TestNode) => Promise<boolean>): Promise<void> {
    await Promise.all(this.nodes.map(async (node, index) => {
      try {
        const waiting = { deadlineMs: DEADLINE_MS, everyMs: this.#options.lookEveryMs };
        await waitFor(`${what}, on ${nodeName(index)}`, () => condition(node), waiting);
      } catch (error) {
        throw new Error(`${error}\n${node.controller.lines.slice(-40).join("\n")}`, { cause: error });
      }
    }));
  }
}

function nodeName(index: number): string {
  return `lb${index + 1}`;
}
