import type { Backend } from "../stack/backend.ts";
import { blaming } from "../stack/process_failure.ts";
import type { Stack } from "../stack/stack.ts";
import { Load, type SightingOptions } from "../local/load.ts";
import { duration } from "../local/terminal.ts";
import { pause } from "../local/wait.ts";
import { answersOf, sayCounts, sayHeadline, sayNote, shareText } from "./report.ts";
import type { Kill, Result } from "./result.ts";

const CLIENTS_PER_KIND = 4;
const CLIENT_PAUSE_MS = 20;
// A backend that should answer every few milliseconds and has not for this long does not answer any more.
const QUIET_MS = 300;
const SHARE_MS = 2_000;
const REACH_DEADLINE_MS = 30_000;

/** Milliseconds until the clients of each node saw a change. */
type Reached = Map<string, number>;

/** What a chapter did; `#chapter()` adds the counts. */
type ChapterEnd = Pick<Result, "reachedMs" | "kill">;

/** The story of the demo: each method is a chapter, and all of them run under the same clients. */
export class Story implements AsyncDisposable {
  readonly results: Result[] = [];
  readonly #stack: Stack;
  readonly #load: Load;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#load = new Load({
      targets: stack.nodes.map(({ name, trafficUrl }) => ({
        name,
        url: trafficUrl,
        keepAliveClients: CLIENTS_PER_KIND,
        oneShotClients: CLIENTS_PER_KIND,
      })),
      pauseMs: CLIENT_PAUSE_MS,
      backendOf: (reply) => reply.headers.get("x-backend") ?? reply.body.trim(),
    });
  }

  /** Requests through both nodes spread over the backends. */
  spread(): Promise<void> {
    return this.#chapter("Requests through both nodes", async () => {
      sayNote(
        `${this.#load.clientCount} clients: on each node ${CLIENTS_PER_KIND} that keep their connection`,
      );
      sayNote(`and ${CLIENTS_PER_KIND} that open one for each request; they run until the end`);
      this.#load.start();
      for (const backend of this.#stack.backends) await this.#firstAnswers(backend, performance.now());
      return {};
    });
  }

  /** Backends are added until there are `count`. */
  scaleUp(count: number): Promise<void> {
    return this.#chapter(`Scale up to ${count}`, async () => {
      const added = Array.from(
        { length: count - this.#stack.backends.length },
        () => this.#stack.addBackend(),
      );
      return { reachedMs: slowest(await Promise.all(added.map((backend) => this.#arrival(backend)))) };
    });
  }

  /** Backends are asked to stop until there are `count`. */
  scaleDown(count: number): Promise<void> {
    return this.#chapter(`Scale down to ${count}`, async () => {
      const stopping = this.#stack.backends.slice(count);
      return { reachedMs: slowest(await Promise.all(stopping.map((backend) => this.#departure(backend)))) };
    });
  }

  /** A backend is killed without warning: its registration stays until its lease runs out. */
  killBackend(): Promise<void> {
    return this.#chapter("A backend killed without warning", async () => {
      const [backend] = this.#stack.backends;
      if (backend === undefined) throw new Error("Cannot kill a backend: there is none");
      await backend.kill();
      const kill: Kill = { at: performance.now(), connections: this.#load.clientCount };
      sayNote(`${backend.name} got SIGKILL; its registration stays until its lease runs out`);
      const { at, revision } = await this.#stack.registry.untilGone(backend.port);
      sayNote(`its registration is gone after ${duration(at - kill.at)}`);
      await Promise.all(this.#stack.nodes.map((node) => node.untilServed(revision)));
      sayNote(`both nodes serve a state without it ${duration(performance.now() - at)} later`);
      return { reachedMs: await this.#lastAnswers(backend, kill.at), kill };
    });
  }

  /** The leading etcd member is killed, a backend is added while it is down, and it comes back. */
  killEtcdMember(): Promise<void> {
    return this.#chapter("An etcd member killed, a backend added", async () => {
      const { etcd } = this.#stack;
      const { signal } = this.#stack.context;
      const member = await etcd.leader({ signal });
      const killedAt = performance.now();
      await member.kill();
      sayNote(`${member.name}, the leader, got SIGKILL`);
      const leader = await etcd.leader({ signal });
      sayNote(`${leader.name} leads ${duration(performance.now() - killedAt)} later`);
      const reachedMs = await this.#arrival(this.#stack.addBackend());
      await member.start({ signal });
      sayNote(`${member.name} is back on its data`);
      return { reachedMs };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
  }

  async #chapter(title: string, play: () => Promise<ChapterEnd>): Promise<void> {
    sayHeadline(this.results.length + 1, title);
    const chapter = this.#load.mark(title);
    const end = await play();
    await this.#showShares();
    const result = { title, chapter, ...end };
    this.results.push(result);
    sayCounts(result);
  }

  async #arrival(backend: Backend): Promise<Reached> {
    const registeredAt = await this.#stack.untilRegistered(backend);
    const reached = await this.#firstAnswers(backend, registeredAt);
    sayNote(`${backend.name} registered; its first answer: ${reachedText(reached)}`);
    return reached;
  }

  async #departure(backend: Backend): Promise<Reached> {
    const stopped = backend.stop();
    const { at } = await this.#stack.registry.untilDraining(backend.port);
    const reached = await this.#lastAnswers(backend, at);
    const acknowledged = await stopped;
    sayNote(`${backend.name} drained, ${acknowledged}, then it stopped;`);
    sayNote(`its last answer: ${reachedText(reached)}`);
    return reached;
  }

  #firstAnswers(backend: Backend, since: number): Promise<Reached> {
    return this.#onEachNode(since, (target) => this.#load.firstAnswerFrom(backend.name, this.#until(target)));
  }

  #lastAnswers(backend: Backend, since: number): Promise<Reached> {
    const lastAnswer = (target: string) =>
      this.#load.lastAnswerFrom(backend.name, { ...this.#until(target), quietMs: QUIET_MS });
    return this.#onEachNode(since, lastAnswer);
  }

  #until(target: string): SightingOptions {
    return { target, deadlineMs: REACH_DEADLINE_MS, signal: this.#stack.context.signal };
  }

  async #onEachNode(since: number, time: (node: string) => Promise<number>): Promise<Reached> {
    const { nodes } = this.#stack;
    // The watch that times a change runs in another process: clients can be a moment ahead of it.
    const took = await Promise.all(nodes.map(async ({ name, process }) => {
      const at = await blaming(process, () => time(name));
      return Math.max(0, at - since);
    }));
    return new Map(nodes.map(({ name }, index) => [name, took[index] ?? 0]));
  }

  async #showShares(): Promise<void> {
    const { signal } = this.#stack.context;
    const before = this.#answers();
    await pause(SHARE_MS, signal);
    signal.throwIfAborted();
    for (const [node, counts] of this.#answers()) {
      sayNote(`${node}   ${shareText(difference(counts, before.get(node)))}`);
    }
  }

  #answers(): Map<string, Map<string, number>> {
    return new Map([...this.#load.chapter.targets].map(([node, counts]) => [node, answersOf(counts)]));
  }
}

function slowest(all: readonly Reached[]): Reached {
  const result: Reached = new Map();
  for (const reached of all) {
    for (const [node, ms] of reached) result.set(node, Math.max(ms, result.get(node) ?? 0));
  }
  return result;
}

function difference(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number> = new Map(),
): Map<string, number> {
  const counts = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return new Map(counts.filter(([, count]) => count > 0));
}

function reachedText(reached: Reached): string {
  return [...reached].map(([node, ms]) => `${node} ${duration(ms)}`).join(", ");
}
