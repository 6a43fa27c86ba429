import { deleteKey, type EtcdKey, putKey, readKey, readKeys } from "./etcd_gateway.ts";
import { EtcdMember } from "./etcd_member.ts";
import { runEtcdctl } from "./etcdctl.ts";
import { pickPorts } from "./ports.ts";
import type { LocalProcess } from "./process.ts";
import { requireProgram } from "./programs.ts";
import { makeShortTempDir, removeDir } from "./temp_dir.ts";
import { waitFor } from "./wait.ts";

const LEADER_DEADLINE_MS = 30_000;

/** An address, and the network namespace that has it; without one, it is this machine's. */
export interface EtcdPlace {
  host: string;
  namespace?: string;
}

/** What the cluster should be like. */
export interface EtcdClusterOptions {
  members: 1 | 3;
  /** Where the members keep their data; it is left in place. Without it: a temporary directory, removed at the end. */
  dir?: string;
  /** One client port for each member; without them, free ports are picked. */
  clientPorts?: readonly number[];
  /** Where each member listens; without it all on 127.0.0.1. */
  places?: readonly EtcdPlace[];
  /** Further etcd flags for every member. */
  args?: readonly string[];
  /** A directory where each member's output goes to `<name>.log`. */
  logDir?: string;
  /** In sessions of their own, out of reach for Ctrl-C on the terminal. */
  detached?: boolean;
  /** Called when a member ends without `stop()` or `kill()`. */
  onUnexpectedExit?: (process: LocalProcess, status: Deno.CommandStatus) => void;
  /** Aborting it ends the waiting for the members. */
  signal?: AbortSignal;
}

/**
 * Starts real etcd members, by default on 127.0.0.1, and waits until every one answers.
 *
 * @throws {Error} when etcd is not installed, cannot be started, or a member does not answer within 30 s.
 */
export async function startEtcdCluster(options: EtcdClusterOptions): Promise<EtcdCluster> {
  const program = requireProgram("etcd");
  const ownDir = options.dir === undefined ? await makeShortTempDir("eh-etcd-") : undefined;
  const members = planMembers(program, ownDir ?? options.dir ?? "", options);
  const cluster = new EtcdCluster(members, ownDir);
  try {
    for (const member of members) member.launch();
    await cluster.untilAnswering(options.signal === undefined ? {} : { signal: options.signal });
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** A running etcd cluster. Disposing it kills its members and removes the directory that it made. */
export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  /** The client URLs of all members. */
  readonly endpoints: readonly string[];
  readonly #ownDir: string | undefined;

  constructor(members: readonly EtcdMember[], ownDir: string | undefined) {
    this.members = members;
    this.endpoints = members.map((member) => member.endpoint);
    this.#ownDir = ownDir;
  }

  /** The member at this place in the cluster, counted from 0. */
  member(index: number): EtcdMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`Cannot use etcd member ${index}: there is none`);
    return member;
  }

  /** Waits until every member answers, as `EtcdMember.untilAnswering()` does. */
  async untilAnswering(options: { signal?: AbortSignal } = {}): Promise<void> {
    await Promise.all(this.members.map((member) => member.untilAnswering(options)));
  }

  /**
   * Runs etcdctl on all members that run and are not frozen.
   *
   * @returns what it wrote to standard output, without the last line end.
   * @throws {Error} when it fails, with what it wrote to standard error, and when no member runs. Without an endpoint,
   * etcdctl would ask whatever etcd has its usual port on this machine.
   */
  async etcdctl(...args: string[]): Promise<string> {
    const endpoints = this.#awakeEndpoints;
    if (endpoints.length === 0) throw new Error(`Cannot run etcdctl ${args.join(" ")}: no member runs`);
    return await runEtcdctl(endpoints, args);
  }

  /** Puts a key without a lease. @throws {Error} when no member takes it */
  put(key: string, value: string): Promise<void> {
    return putKey(this.#awakeEndpoints, key, value);
  }

  /** Deletes a key if it is there. @throws {Error} when no member takes it */
  delete(key: string): Promise<void> {
    return deleteKey(this.#awakeEndpoints, key);
  }

  /** One key; nothing when it is not there. @throws {Error} when no member answers */
  get(key: string): Promise<EtcdKey | undefined> {
    return readKey(this.#awakeEndpoints, key);
  }

  /** All keys that begin with `prefix`. @throws {Error} when no member answers */
  getAll(prefix: string): Promise<EtcdKey[]> {
    return readKeys(this.#awakeEndpoints, prefix);
  }

  /**
   * Waits until a running member leads the cluster, and returns it. After the leader's end, writes that come before the
   * next election are lost in etcd and time out there. Wait here first to avoid that.
   *
   * @throws {Error} when none leads within 30 s.
   */
  async leader(options: { signal?: AbortSignal } = {}): Promise<EtcdMember> {
    return await waitFor("a member that leads etcd", () => this.#findLeader(), {
      ...options,
      deadlineMs: LEADER_DEADLINE_MS,
      everyMs: 100,
    });
  }

  /** The revision that the first member which answers has. */
  async revision(): Promise<bigint> {
    const [member] = this.#awake;
    if (member === undefined) throw new Error("Cannot read the revision: no member runs");
    return (await member.status()).revision;
  }

  async #findLeader(): Promise<EtcdMember | undefined> {
    for (const member of this.#awake) {
      const { id, leader } = await member.status();
      if (id === leader) return member;
    }
    return undefined;
  }

  get #awake(): EtcdMember[] {
    return this.members.filter((member) => member.awake);
  }

  get #awakeEndpoints(): string[] {
    return this.#awake.map((member) => member.endpoint);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    if (this.#ownDir !== undefined) await removeDir(this.#ownDir);
  }
}

function planMembers(program: string, dir: string, options: EtcdClusterOptions): EtcdMember[] {
  const count = options.members;
  const clientPorts = options.clientPorts ?? pickPorts(count);
  if (clientPorts.length !== count) {
    throw new Error(`Cannot start etcd: ${count} members and ${clientPorts.length} client ports`);
  }
  const members = clientPorts.map((clientPort, index) => ({
    name: `etcd${index + 1}`,
    clientPort,
    place: options.places?.[index] ?? { host: "127.0.0.1" },
  }));
  const peerPorts = pickPorts(count);
  const peerPort = (index: number) => peerPorts[index] ?? 0;
  const initialCluster = members.map(({ name, place }, index) =>
    `${name}=http://${place.host}:${peerPort(index)}`
  )
    .join();
  return members.map(({ name, clientPort, place }, index) =>
    new EtcdMember({
      ...place,
      name,
      program,
      dataDir: `${dir}/${name}`,
      clientPort,
      peerPort: peerPort(index),
      initialCluster,
      args: options.args ?? [],
      ...(options.logDir === undefined ? {} : { logFile: `${options.logDir}/${name}.log` }),
      ...(options.detached === undefined ? {} : { detached: options.detached }),
      ...(options.onUnexpectedExit === undefined ? {} : { onUnexpectedExit: options.onUnexpectedExit }),
    })
  );
}
