import { type EtcdCluster, startEtcdCluster } from "../local/etcd_cluster.ts";
import { step } from "../local/terminal.ts";
import { Backend } from "./backend.ts";
import { PROJECT_DIR, type StackContext } from "./context.ts";
import { endLeftovers } from "./leftovers.ts";
import { LoadBalancerNode } from "./node.ts";
import { blaming } from "./process_failure.ts";
import { RegistryWatch } from "./registry_watch.ts";

/**
 * The whole stack as local processes: three etcd members, two load-balancer nodes, and backends.
 *
 * What is started is stopped by `stop()`, also when `start()` did not come to its end.
 */
export class Stack {
  readonly context: StackContext;
  readonly #cleanUp = new AsyncDisposableStack();
  readonly #backends: Backend[] = [];
  #etcd: EtcdCluster | undefined;
  #registry: RegistryWatch | undefined;
  #nodes: readonly LoadBalancerNode[] = [];
  #started = 0;

  constructor(context: StackContext) {
    this.context = context;
    this.#cleanUp.defer(async () => {
      await endLeftovers(context.dir);
    });
  }

  /** The etcd cluster. Only after `start()`. */
  get etcd(): EtcdCluster {
    if (this.#etcd === undefined) throw new Error("Cannot use etcd: the stack was not started");
    return this.#etcd;
  }

  /** What a watcher of etcd sees of the registrations. Only after `start()`. */
  get registry(): RegistryWatch {
    if (this.#registry === undefined) throw new Error("Cannot watch etcd: the stack was not started");
    return this.#registry;
  }

  /** The load-balancer nodes. */
  get nodes(): readonly LoadBalancerNode[] {
    return this.#nodes;
  }

  /** The backends that run, oldest first. */
  get backends(): readonly Backend[] {
    return this.#backends.filter((backend) => backend.process.exited === undefined);
  }

  /**
   * Starts all of it, showing each step, and waits until requests through both nodes are answered.
   *
   * @throws {Error} when a part cannot be started or does not answer in time.
   */
  async start(options: { backends: number }): Promise<void> {
    await step("The project's dependencies", () => fetchDependencies(this.context.signal));
    await step("etcd: three members", () => this.#startEtcd());
    await step("lb1 and lb2: a controller and HAProxy each", () => this.#startNodes());
    await step(`${options.backends} backends that register themselves`, async () => {
      const backends = Array.from({ length: options.backends }, () => this.addBackend());
      await Promise.all(backends.map((backend) => this.untilRegistered(backend)));
    });
    await step("Requests through both nodes are answered", async () => {
      await Promise.all(this.#nodes.map((node) => node.untilServing()));
    });
  }

  /** Starts a further backend; it registers itself a moment later. */
  addBackend(): Backend {
    const backend = new Backend(this.context, `backend-${++this.#started}`, this.etcd.endpoints);
    this.#backends.push(backend);
    this.#cleanUp.defer(() => backend.kill());
    return backend;
  }

  /** Waits until the backend is registered; returns when that was, in milliseconds of `performance.now()`. */
  async untilRegistered(backend: Backend): Promise<number> {
    const { at } = await blaming(backend.process, () => this.registry.untilReady(backend.port));
    return at;
  }

  /** Stops everything that was started, and waits for its end. */
  async stop(): Promise<void> {
    // Also when one of them cannot be stopped, the others are.
    await using _others = this.#cleanUp;
    await Promise.all(this.backends.map((backend) => backend.kill()));
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  async #startEtcd(): Promise<void> {
    const { dir, logDir, layout, signal, onUnexpectedExit } = this.context;
    this.#etcd = await startEtcdCluster({
      members: 3,
      dir: `${dir}/etcd`,
      clientPorts: layout.etcdClientPorts,
      logDir,
      detached: true,
      signal,
      onUnexpectedExit,
    });
    this.#cleanUp.use(this.#etcd);
    this.#registry = this.#cleanUp.use(new RegistryWatch(this.context, this.#etcd.endpoints));
  }

  async #startNodes(): Promise<void> {
    this.#nodes = this.context.layout.nodes.map((layout) => {
      const node = new LoadBalancerNode(this.context, layout, this.etcd.endpoints);
      this.#cleanUp.defer(() => node.stop());
      return node;
    });
    await Promise.all(this.#nodes.map((node) => node.untilReady()));
  }
}

// Otherwise the first processes would fetch them, all at the same time and unseen.
async function fetchDependencies(signal: AbortSignal): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "main.ts", "backend/main.ts"],
    cwd: PROJECT_DIR,
    stdin: "null",
    signal,
  }).output();
  signal.throwIfAborted();
  if (!success) {
    throw new Error(`Cannot load the project's dependencies:\n${new TextDecoder().decode(stderr).trimEnd()}`);
  }
}
