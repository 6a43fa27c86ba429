import { type MemberStatus, memberStatus } from "./etcd_gateway.ts";
import { runEtcdctl } from "./etcdctl.ts";
import { type LocalProcess, startProcess } from "./process.ts";
import { removeDir } from "./temp_dir.ts";
import { waitFor } from "./wait.ts";

const HEARTBEAT_MS = 50;
const ELECTION_MS = 500;
const ONE_ANSWER_MS = 1_000;
const ANSWER_DEADLINE_MS = 30_000;

/** Where a member lives and how it is started. */
export interface EtcdMemberOptions {
  name: string;
  program: string;
  dataDir: string;
  /** The address that it listens on, as others reach it. */
  host: string;
  /** The network namespace that it runs in; without it, that of this process. */
  namespace?: string;
  clientPort: number;
  peerPort: number;
  /** etcd's `--initial-cluster` of the whole cluster. */
  initialCluster: string;
  /** Further etcd flags. */
  args: readonly string[];
  logFile?: string;
  detached?: boolean;
  onUnexpectedExit?: (process: LocalProcess, status: Deno.CommandStatus) => void;
}

/** One etcd member as a child process; its data outlives the process. */
export class EtcdMember {
  readonly name: string;
  /** The client URL. */
  readonly endpoint: string;
  /** Where its data is. */
  readonly dataDir: string;
  readonly #options: EtcdMemberOptions;
  #process: LocalProcess | undefined;
  #frozen = false;

  constructor(options: EtcdMemberOptions) {
    this.name = options.name;
    this.dataDir = options.dataDir;
    this.endpoint = `http://${options.host}:${options.clientPort}`;
    this.#options = options;
  }

  /** The process that runs now, or the last one that ran. */
  get process(): LocalProcess | undefined {
    return this.#process;
  }

  /** Whether a process is there; a frozen one counts. */
  get running(): boolean {
    return this.#process !== undefined && this.#process.exited === undefined;
  }

  /** Whether a process is there that is not frozen. */
  get awake(): boolean {
    return this.running && !this.#frozen;
  }

  /**
   * Starts the process on its data and does not wait for it to answer. Does nothing when it runs.
   *
   * @throws {Error} when etcd cannot be started.
   */
  launch(): void {
    if (this.running) return;
    const { name, program, namespace, logFile, detached, onUnexpectedExit } = this.#options;
    this.#frozen = false;
    this.#process = startProcess({
      name,
      ...(namespace === undefined
        ? { command: program, args: memberArgs(this.#options) }
        : { command: "ip", args: ["netns", "exec", namespace, program, ...memberArgs(this.#options)] }),
      env: memberEnvironment(),
      ...(logFile === undefined ? {} : { logFile }),
      ...(detached === undefined ? {} : { detached }),
      signalIfOrphaned: "SIGKILL",
      ...(onUnexpectedExit === undefined ? {} : { onUnexpectedExit }),
    });
  }

  /**
   * Puts data from a snapshot file in the place of what it has; the process must have ended. Members that are restored
   * with the same token and the same peers have the cluster id that they had before.
   *
   * @throws {Error} when the file cannot be restored
   */
  async restore(file: string, { token }: { token: string }): Promise<void> {
    await this.wipe();
    const { name, host, peerPort, initialCluster } = this.#options;
    await runEtcdctl([], [
      ...["snapshot", "restore", file, "--data-dir", this.dataDir],
      ...["--name", name, "--initial-cluster", initialCluster, "--initial-cluster-token", token],
      ...["--initial-advertise-peer-urls", `http://${host}:${peerPort}`],
    ]);
  }

  /** Removes its data; the process must have ended. When every member starts without data, etcd is empty. */
  async wipe(): Promise<void> {
    await removeDir(this.dataDir);
  }

  /** Starts the process on its data and waits until it answers, which takes a majority of members. */
  async start(options: { signal?: AbortSignal } = {}): Promise<void> {
    this.launch();
    await this.untilAnswering(options);
  }

  /**
   * Waits until the member says it is healthy.
   *
   * @throws {Error} when it does not within 30 s, or at once when its process has ended.
   */
  async untilAnswering(options: { signal?: AbortSignal } = {}): Promise<void> {
    const ended = await waitFor(
      `${this.name} to answer on ${this.endpoint}`,
      async () => this.#process?.exited !== undefined || (await this.#isHealthy() ? "healthy" : false),
      { ...options, deadlineMs: ANSWER_DEADLINE_MS },
    );
    if (ended === "healthy") return;
    const tail = this.#process?.lines.slice(-5).join("\n") ?? "";
    throw new Error(`Cannot run ${this.name}: its process ended\n${tail}`);
  }

  /** Ends the process as etcd wants it (SIGTERM) and waits for its end. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** Ends the process without warning (SIGKILL) and waits for its end. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
  }

  /** Freezes the process (SIGSTOP): connections stay open and nothing is answered. */
  freeze(): void {
    this.#frozen = true;
    this.#process?.freeze();
  }

  /** Lets a frozen process continue. */
  resume(): void {
    this.#frozen = false;
    this.#process?.resume();
  }

  /** Runs etcdctl on this member alone, as `EtcdCluster.etcdctl()` does on all. */
  etcdctl(...args: string[]): Promise<string> {
    return runEtcdctl([this.endpoint], args);
  }

  /**
   * The member's status.
   *
   * @throws {Error} when it does not answer
   */
  status(): Promise<MemberStatus> {
    return memberStatus(this.endpoint);
  }

  async #isHealthy(): Promise<boolean> {
    const response = await fetch(`${this.endpoint}/health`, { signal: AbortSignal.timeout(ONE_ANSWER_MS) });
    const text = await response.text();
    return response.ok && text.includes(`"health":"true"`);
  }
}

function memberArgs(options: EtcdMemberOptions): string[] {
  const client = `http://${options.host}:${options.clientPort}`;
  const peer = `http://${options.host}:${options.peerPort}`;
  return [
    ...["--name", options.name, "--data-dir", options.dataDir],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...["--initial-cluster", options.initialCluster, "--initial-cluster-state", "new"],
    ...["--heartbeat-interval", String(HEARTBEAT_MS), "--election-timeout", String(ELECTION_MS)],
    // The cheapest: with the default, a check of a password takes 70 ms of a core.
    ...["--bcrypt-cost", "4"],
    ...["--logger", "zap", "--log-outputs", "stderr"],
    ...options.args,
  ];
}

// etcd reads every ETCD_* variable as a flag, those of the caller's shell included: give it none of them. On arm64,
// etcd before 3.5 needs a variable that confirms the architecture.
function memberEnvironment(): Record<string, string> {
  const path = { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin" };
  return Deno.build.arch === "aarch64" ? { ...path, ETCD_UNSUPPORTED_ARCH: "arm64" } : path;
}
