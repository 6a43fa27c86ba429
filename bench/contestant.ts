import { type TestNode, testNode } from "../tests/support/node.ts";
import { controllerCommand } from "../tests/support/node.ts";
import { type LocalProcess, startProcess } from "../tools/local/process.ts";
import { requireProgram } from "../tools/local/programs.ts";
import { waitFor } from "../tools/local/wait.ts";
import { fileURLToPath } from "node:url";
import type { Bench } from "./bench.ts";
import { type CpuSeconds, cpuSeconds, processesIn, residentMib } from "./proc.ts";
import { Registry } from "./registry.ts";
import type { Name } from "./report.ts";
import { type SeenServer, untilServers } from "./sight.ts";

const FLOOR = fileURLToPath(new URL("floor.ts", import.meta.url));
const READY_DEADLINE_MS = 60_000;
const GONE_DEADLINE_MS = 2_000;
const ALL_EVERY_MS = 100;

let made = 0;

/** One way to follow etcd, with an HAProxy and a services prefix of its own. */
export class Contestant implements AsyncDisposable {
  readonly name: Name;
  readonly registry: Registry;
  readonly node: TestNode;
  readonly #bench: Bench;
  #haproxy: LocalProcess | undefined;
  #floor: LocalProcess | undefined;

  private constructor(name: Name, node: TestNode, bench: Bench) {
    this.name = name;
    this.node = node;
    this.#bench = bench;
    this.registry = new Registry(bench.client, `/bench/${name}-${++made}/`);
  }

  /** Makes a contestant; its registry can be filled before `start()`. */
  static async make(name: Name, bench: Bench): Promise<Contestant> {
    return new Contestant(name, await testNode({ endpoints: bench.etcd.endpoints }), bench);
  }

  /** Starts it and waits until HAProxy runs this many servers. */
  async start(servers: number): Promise<void> {
    if (this.name === "floor") await this.#startFloor();
    else await this.#startNode();
    await this.untilServers(
      `${servers} servers`,
      (seen) => seen.filter(({ isUp }) => isUp).length === servers,
    );
  }

  /** Waits until all servers, or the servers of one backend, are as wanted; returns when that was seen. */
  untilServers(
    what: string,
    wanted: (servers: readonly SeenServer[]) => boolean,
    options: { backend?: string; everyMs?: number } = {},
  ): Promise<number> {
    const { signal } = this.#bench;
    const everyMs = options.backend === undefined ? { everyMs: ALL_EVERY_MS } : {};
    const sighting = { socket: this.node.runtimeSocket, signal, ...everyMs, ...options };
    return untilServers(`${this.name}: ${what}`, sighting, wanted);
  }

  /** The process that follows etcd. */
  get controller(): LocalProcess {
    return this.#floor ?? this.node.controller;
  }

  /** CPU seconds so far. */
  cpuSeconds(): Promise<CpuSeconds> {
    const etcd = this.#bench.etcd.member(0).process?.pid ?? 0;
    const haproxy = this.#haproxy === undefined ? {} : { haproxy: this.#haproxy.pid };
    return cpuSeconds({ controller: this.controller.pid, ...haproxy, etcd });
  }

  /** Resident memory of the process that follows etcd, in MiB. */
  residentMib(): Promise<number> {
    return residentMib(this.controller.pid);
  }

  /** Starts only a node's controller; `args` are further arguments. */
  launchNode(args: readonly string[] = []): void {
    const prefix = ["--services-prefix", this.registry.prefix];
    this.node.start({ args: ["--apply", this.name, ...prefix, "--log-level", "warn", ...args] });
  }

  /** Stops a node as an operator would, and counts the processes that it leaves. */
  async stop(): Promise<void> {
    await this.#floor?.stop();
    await this.#haproxy?.stop();
    if (this.name === "floor") return;
    await this.controller.stop({ deadlineMs: 30_000 });
    const left = await this.#leftovers();
    this.#bench.left.push(...left.map((pid) => ({ name: this.name, pid })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#floor?.stop();
    await this.#haproxy?.stop();
    await this.node[Symbol.asyncDispose]();
  }

  async #startNode(): Promise<void> {
    this.launchNode();
    const { signal } = this.#bench;
    await waitFor(`${this.name} to be ready`, () => this.node.ready(), {
      deadlineMs: READY_DEADLINE_MS,
      signal,
    });
  }

  async #startFloor(): Promise<void> {
    const { configPath, dir, runtimeSocket } = this.node;
    await Deno.mkdir(`${dir}/state`);
    await Deno.writeTextFile(configPath, await this.#rendered());
    const args = ["-db", "-f", configPath];
    const command = requireProgram("haproxy");
    this.#haproxy = startProcess({ name: "haproxy", command, args, signalIfOrphaned: "SIGKILL" });
    await this.untilServers("HAProxy", () => true);
    const [endpoint = ""] = this.#bench.etcd.endpoints;
    const floor = startProcess({
      name: "floor",
      signalIfOrphaned: "SIGKILL",
      command: Deno.execPath(),
      args: ["run", "--quiet", "-A", FLOOR, endpoint, this.registry.prefix, runtimeSocket],
    });
    this.#floor = floor;
    await waitFor("the floor to watch", () => floor.lines.includes("watching"), {
      signal: this.#bench.signal,
    });
  }

  /** The text that a node would have for the same registry. */
  async #rendered(): Promise<string> {
    const { command, args } = controllerCommand();
    const prefix = ["--services-prefix", this.registry.prefix];
    const render = new Deno.Command(command, { args: [...args, "render", ...this.node.places, ...prefix] });
    const { success, stdout, stderr } = await render.output();
    if (!success) throw new Error(`Cannot render: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }

  async #leftovers(): Promise<number[]> {
    const deadline = performance.now() + GONE_DEADLINE_MS;
    let left = await processesIn(this.node.dir);
    while (left.length > 0 && performance.now() < deadline) left = await processesIn(this.node.dir);
    return left;
  }
}
