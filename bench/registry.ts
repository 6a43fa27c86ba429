import type { EtcdClient } from "../lib/etcd/client.ts";

/** Enough writers to keep etcd busy, few enough that none runs into its time limit. */
const WRITERS = 200;
/** etcd takes 128 operations in one transaction. */
const PER_TRANSACTION = 100;
const TRIES = 3;

/** One server to register. */
export interface Registration {
  readonly service: string;
  readonly id: string;
  readonly value: string;
}

/** The services prefix of one contestant. */
export class Registry {
  readonly prefix: string;
  readonly #client: EtcdClient;

  constructor(client: EtcdClient, prefix: string) {
    this.#client = client;
    this.prefix = prefix;
  }

  async put({ service, id, value }: Registration): Promise<void> {
    await this.#client.kv.put(`${this.prefix}${service}/${id}`).value(value);
  }

  async delete({ service, id }: Omit<Registration, "value">): Promise<void> {
    await this.#client.kv.delete().key(`${this.prefix}${service}/${id}`);
  }

  /** Puts each by itself, like backends that start together; a put that fails is tried again. */
  async putEach(registrations: readonly Registration[]): Promise<void> {
    const queue = [...registrations].reverse();
    const writer = async () => {
      for (let one = queue.pop(); one !== undefined; one = queue.pop()) await this.#putOrRetry(one);
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
  }

  /** Puts all in few transactions. */
  async fill(registrations: readonly Registration[]): Promise<void> {
    const { kv } = this.#client;
    for (let at = 0; at < registrations.length; at += PER_TRANSACTION) {
      const puts = registrations.slice(at, at + PER_TRANSACTION).map(({ service, id, value }) =>
        kv.put(`${this.prefix}${service}/${id}`).value(value)
      );
      // A condition that always holds: the prefix itself is never written.
      await kv.if(this.prefix, "Version", "==", 0).then(...puts).commit();
    }
  }

  async #putOrRetry(registration: Registration): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.put(registration);
      } catch (error) {
        if (attempt === TRIES) throw error;
      }
    }
  }
}

/** An entry whose server HAProxy does not check: with thousands of servers, checks would hide what is measured. */
export function uncheckedEntry(address: string): string {
  return JSON.stringify({ address, check: { disabled: true } });
}

/** This many servers, in services of 100. */
export function manyServers(count: number, addresses: readonly string[]): Registration[] {
  return Array.from({ length: count }, (_, index) => ({
    service: serviceName(Math.floor(index / 100)),
    id: `server-${index % 100}`,
    value: uncheckedEntry(addresses[index % addresses.length] ?? ""),
  }));
}

/** The name of the service at this place, counted from 0. */
export function serviceName(index: number): string {
  return index === 0 ? "backend" : `service-${String(index).padStart(3, "0")}`;
}
