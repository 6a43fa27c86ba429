import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { register, type Registration } from "../../lib/register/registration.ts";
import type { EtcdCluster } from "../../tools/local/etcd_cluster.ts";
import { waitFor } from "../../tools/local/wait.ts";
import { type Origin, startOrigin } from "./origin.ts";

const DEADLINE_MS = 60_000;
const REMOVE_LIMIT_MS = 500;

/** The servers of a stage: the running ones, and the ones that the registry should name. Disposing it ends them all. */
export class StageRegistry implements AsyncDisposable {
  /** What every node should serve, by id. */
  readonly origins = new Map<string, Origin>();
  readonly #etcd: EtcdCluster;
  readonly #leaseSeconds: number | undefined;
  readonly #started: Origin[] = [];
  readonly #registrations = new Map<string, Registration>();
  #client: EtcdClient | undefined;

  constructor(etcd: EtcdCluster, leaseSeconds: number | undefined) {
    this.#etcd = etcd;
    this.#leaseSeconds = leaseSeconds;
  }

  /** Starts a server and puts its key: under a lease of its own, or for good. */
  async register(id: string): Promise<Origin> {
    const origin = startOrigin(id);
    this.#started.push(origin);
    this.origins.set(id, origin);
    await this.#put(id, origin.address);
    return origin;
  }

  /** Deletes the key of a server; the server keeps answering. */
  async unregister(id: string): Promise<void> {
    this.origins.delete(id);
    const registration = this.#registrations.get(id);
    this.#registrations.delete(id);
    if (registration === undefined) await this.#etcd.delete(entryKey(id));
    else await registration.remove();
  }

  /** The registry was put back to what it once held, by a copy of `origins` from then. */
  is(origins: ReadonlyMap<string, Origin>): void {
    this.origins.clear();
    for (const [id, origin] of origins) this.origins.set(id, origin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const registrations = [...this.#registrations.values()];
    await Promise.all(registrations.map((one) => one.remove({ limitMs: REMOVE_LIMIT_MS })));
    this.#client?.close();
    await Promise.all(this.#started.map((origin) => origin.closeAbruptly()));
  }

  async #put(id: string, value: string): Promise<void> {
    const ttlSeconds = this.#leaseSeconds;
    if (ttlSeconds === undefined) {
      await this.#etcd.put(entryKey(id), value);
      return;
    }
    const { kv } = this.#client ??= createEtcdClient({ endpoints: this.#etcd.endpoints });
    const registration = register({ kv, key: entryKey(id), value, ttlSeconds });
    this.#registrations.set(id, registration);
    await waitFor(`${id} to be registered`, () => registration.state().kind === "registered", {
      deadlineMs: DEADLINE_MS,
    });
  }
}

function entryKey(id: string): string {
  return `/services/backend/${id}`;
}
