import { fileURLToPath } from "node:url";
import { ask } from "../../lib/haproxy/socket.ts";
import type { ProblemKind } from "../../lib/node/problems.ts";
import { pickPort } from "../../tools/local/ports.ts";
import { type LocalProcess, startProcess } from "../../tools/local/process.ts";
import { type TempDir, tempDir } from "../../tools/local/temp_dir.ts";
import { waitFor } from "../../tools/local/wait.ts";
import { tellsOf } from "./told.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PERMISSIONS = ["net", "read", "write", "run", "env", "sys"].map((name) => `--allow-${name}`);
/** Reloads may follow each other at once, and servers may vanish in numbers: both are tested where they are the point. */
const DEFAULTS = ["--log-format", "text", "--reload-interval", "0", "--guard", "off"];

/** What to start a node with. */
export interface NodeOptions {
  readonly endpoints: readonly string[];
  /** Further arguments of `run`. */
  readonly args?: readonly string[];
  /** Another program than `main.ts`, with the same command line. */
  readonly program?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What `/api/state` tells, as far as tests look at it. */
export interface NodeState {
  readonly readiness: { readonly ready: boolean; readonly stale?: boolean; readonly reason?: string };
  readonly problems: readonly { readonly kind: string; readonly reason: string }[];
  readonly etcd: {
    readonly kind: string;
    readonly reason?: string;
    readonly member?: string;
    readonly readsRefused?: string;
  };
  readonly nodeKeys: { readonly kind: string; readonly reason?: string };
  readonly haproxy: {
    readonly kind: string;
    readonly pid?: number;
    readonly adopted?: boolean;
    readonly oldWorkers: number;
  };
  readonly revision: number | null;
  readonly base: { readonly from: string; readonly refused: { readonly reason: string } | null } | null;
  readonly services: readonly {
    readonly name: string;
    readonly servers: readonly {
      readonly id: string;
      readonly address: string;
      readonly state: string;
      readonly weight: number;
      readonly up: boolean | null;
    }[];
  }[];
  readonly held: readonly { readonly service: string; readonly id: string; readonly goesInMs: number }[];
  readonly rejections: readonly { readonly key: string; readonly reason: string }[];
  readonly admissionsWaiting: number;
  readonly plan:
    | { readonly kind: string; readonly outcome: string | null; readonly steps: readonly string[] }
    | null;
}

/** A place in what a node has told. */
export interface Mark {
  readonly controller: LocalProcess | undefined;
  readonly lines: number;
}

/** How the controller is started: `CONTROLLER` names a compiled binary, else it runs from source. */
export function controllerCommand(program = MAIN): { command: string; args: string[] } {
  const binary = Deno.env.get("CONTROLLER");
  if (binary !== undefined && binary !== "" && program === MAIN) return { command: binary, args: [] };
  return { command: Deno.execPath(), args: ["run", "--quiet", "--no-prompt", ...PERMISSIONS, program] };
}

/** A node with its own directory and ports, on which controllers are started one after the other. */
export class TestNode implements AsyncDisposable {
  readonly dir: string;
  readonly configPath: string;
  readonly masterSocket: string;
  readonly runtimeSocket: string;
  readonly port = pickPort();
  readonly statsPort = pickPort();
  readonly adminPort = pickPort();
  readonly url = `http://127.0.0.1:${this.port}/`;
  readonly #tempDir: TempDir;
  readonly #options: NodeOptions;
  #controller: LocalProcess | undefined;
  /** Aborted when the controller ends: waiting for its state is vain then. */
  #ended = new AbortController();

  constructor(tempDir: TempDir, options: NodeOptions) {
    this.#tempDir = tempDir;
    this.#options = options;
    this.dir = tempDir.path;
    this.configPath = `${this.dir}/haproxy.cfg`;
    this.masterSocket = `${this.dir}/state/master.sock`;
    this.runtimeSocket = `${this.dir}/state/haproxy.sock`;
  }

  /** The arguments that every command needs to mean this node. */
  get places(): string[] {
    return [
      ...["--endpoints", this.#options.endpoints.join()],
      ...["--bind", `127.0.0.1:${this.port}`, "--stats-bind", `127.0.0.1:${this.statsPort}`],
      ...["--config", this.configPath, "--state-dir", `${this.dir}/state`],
    ];
  }

  /** Starts a controller on this node; the one before must have ended. */
  start(options: Partial<NodeOptions> = {}): LocalProcess {
    const { args = [], program, env } = { ...this.#options, ...options };
    const { command, args: before } = controllerCommand(program);
    this.#controller = startProcess({
      name: "controller",
      command,
      keepLines: Infinity,
      // Killed, it would leave its HAProxy behind.
      signalIfOrphaned: "SIGTERM",
      args: [
        ...before,
        "run",
        ...this.places,
        "--admin-bind",
        `127.0.0.1:${this.adminPort}`,
        ...DEFAULTS,
        ...args,
      ],
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: Deno.env.get("HOME") ?? "",
        DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
        ...env,
      },
    });
    const ended = this.#ended = new AbortController();
    this.#controller.status.then(() => ended.abort(new Error("the controller ended")));
    return this.#controller;
  }

  get controller(): LocalProcess {
    if (this.#controller === undefined) throw new Error("Cannot use the controller: it was not started");
    return this.#controller;
  }

  /** The place that the node has reached by now in what it tells. */
  mark(): Mark {
    return { controller: this.#controller, lines: this.#controller?.lines.length ?? 0 };
  }

  /**
   * Whether the node has told of this problem since then. A problem may be over before anybody can see it in the state;
   * what was told stays.
   */
  hasTold(kind: ProblemKind, { since, reason = "" }: { since: Mark; reason?: string }): boolean {
    const { controller } = this;
    const from = controller === since.controller ? since.lines : 0;
    return tellsOf(controller.lines.slice(from), kind, reason);
  }

  async state(): Promise<NodeState> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/api/state`);
    return await response.json();
  }

  async ready(): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/readyz`);
    await response.body?.cancel();
    return response.ok;
  }

  /** The value of a metric without the prefix, such as `passes_total` or `plans_total{kind="reload"}`. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/metrics`);
    const text = await response.text();
    const line = text.split("\n").find((line) => line.startsWith(`etcd_haproxy_${name} `));
    if (line === undefined) throw new Error(`Cannot find metric ${name}`);
    return Number(line.split(" ").at(-1));
  }

  /** Waits until a counter is above what it was. */
  async untilMore(name: string, before: number): Promise<void> {
    const { signal } = this.#ended;
    await waitFor(`more of ${name}`, async () => await this.metric(name) > before, { signal });
  }

  /**
   * Waits until the state is as wanted, and returns it. The state has to last: for one that may be over before anybody
   * looks, there are counters and `hasTold()`.
   */
  async untilState(
    what: string,
    wanted: (state: NodeState) => boolean,
    deadlineMs = 30_000,
  ): Promise<NodeState> {
    try {
      return await waitFor(what, async () => {
        const state = await this.state();
        if (!wanted(state)) throw new Error(JSON.stringify(state));
        return state;
      }, { deadlineMs, everyMs: 100, signal: this.#ended.signal });
    } catch (error) {
      throw new Error(`${error}\n${this.controller.lines.slice(-40).join("\n")}`, { cause: error });
    }
  }

  /** Waits until the controller has written a line like this one, and returns it. */
  async untilLine(like: RegExp): Promise<string> {
    const { lines } = this.controller;
    let seen = 0;
    const look = () => {
      const fresh = lines.slice(seen);
      seen = lines.length;
      return fresh.find((line) => like.test(line));
    };
    return await waitFor(`a line like ${like}`, look, { signal: this.#ended.signal });
  }

  /** Waits until every change that is known is served. */
  async untilServed(): Promise<void> {
    const { signal } = this.#ended;
    await waitFor("no lag", async () => await this.metric("lag_seconds") === 0, { signal });
  }

  /** Waits until HAProxy itself runs exactly these servers in a backend. */
  async untilServers(backend: string, names: readonly string[]): Promise<void> {
    const wanted = [...names].sort().join();
    await waitFor(`servers ${wanted} in backend ${backend}`, async () => {
      const seen = (await this.runningServers(backend)).map(({ name }) => name).sort().join();
      if (seen !== wanted) {
        throw new Error(`HAProxy runs ${seen}\n${this.controller.lines.slice(-15).join("\n")}`);
      }
      return true;
    }, { everyMs: 50 });
  }

  /** The servers of a backend as HAProxy runs them, with weight and administrative state. */
  async runningServers(
    backend: string,
  ): Promise<{ name: string; address: string; weight: number; maint: boolean }[]> {
    const text = await ask(this.runtimeSocket, `show servers state ${backend}`);
    return text.split("\n").filter((line) => /^\d+ \S+ \d+ /.test(line)).map((line) => {
      const row = line.split(" ");
      return {
        name: row[3] ?? "",
        address: `${row[4]}:${row[18]}`,
        weight: Number(row[7]),
        maint: (Number(row[6]) & 0x01) !== 0,
      };
    });
  }

  async readConfig(): Promise<string> {
    return await Deno.readTextFile(this.configPath);
  }

  /** One request through the node on a connection of its own: status and body. */
  async request(): Promise<{ status: number; body: string }> {
    // An idle connection of a pool would keep a retired worker alive.
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    const response = await fetch(this.url, { client });
    return { status: response.status, body: await response.text() };
  }

  /** Waits until a request is answered with this body. */
  async untilAnswer(body: string): Promise<void> {
    const { signal } = this.#ended;
    await waitFor(`an answer of ${body}`, async () => (await this.request()).body === body, { signal });
  }

  /** Ends the controller, and a HAProxy that it may have left behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller?.stop({ deadlineMs: 10_000 });
    await endMaster(this.masterSocket);
    await this.#tempDir[Symbol.asyncDispose]();
  }
}

/** Makes a node; nothing runs before `start()`. */
export async function testNode(options: NodeOptions): Promise<TestNode> {
  return new TestNode(await tempDir(), options);
}

async function endMaster(masterSocket: string): Promise<void> {
  try {
    const table = await ask(masterSocket, "show proc;quit");
    const pid = Number(/^(\d+)\s+master/m.exec(table)?.[1]);
    if (pid > 1) Deno.kill(pid, "SIGTERM");
    await waitFor("the end of HAProxy", () => Deno.stat(`/proc/${pid}`).then(() => false, () => true));
  } catch {
    // None is left.
  }
}
