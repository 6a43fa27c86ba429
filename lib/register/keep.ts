import type { Host } from "../registry/address.ts";
import { ANY_NETWORK, objectionTo } from "../registry/allowed_addresses.ts";
import { entryValue } from "../registry/entry_format.ts";
import { ControllerError } from "../util/errors.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { deregister } from "./deregister.ts";
import type { RegisterEvent } from "./events.ts";
import { watchHealth } from "./health_gate.ts";
import type { RegisterOptions } from "./options.ts";
import { ownerText } from "./log.ts";
import { findOwnHost } from "./own_host.ts";
import { register } from "./registration.ts";

/** What to keep registered, and where. */
export interface KeepOptions {
  readonly client: EtcdClient;
  readonly etcd: EtcdSettings;
  readonly register: RegisterOptions;
  readonly onEvent: (event: RegisterEvent, key: string) => void;
}

/** A process that is registered until it is removed. */
export interface KeptRegistration {
  /** Resolves if another lease owns the key. Never rejects. */
  readonly taken: Promise<ControllerError>;
  /** Asks the nodes to drain the server, and waits until it may stop. Never rejects. */
  drain(hurry: AbortSignal): Promise<void>;
  /** Removes the key. Never rejects. */
  remove(): Promise<void>;
}

/** Removing the key takes no longer: a lease that is not revoked ends by itself. */
const REMOVE_LIMIT_MS = 2_500;

/**
 * Keeps a process registered. The key exists as long as the check passes. It is restored after an etcd outage or an
 * accidental delete. At the end call `drain()`, stop the process, and call `remove()`.
 */
export function keepRegistered(
  { client, etcd, register: options, onEvent: tell }: KeepOptions,
): KeptRegistration {
  const { check, entry, port } = options;
  const server = `${options.service}/${options.id}`;
  const key = `${etcd.servicesPrefix}${server}`;
  const onEvent = (event: RegisterEvent) => tell(event, key);
  const registration = register({
    kv: client.kv,
    key,
    value: undefined,
    ttlSeconds: options.leaseTtlSeconds,
    onEvent,
  });
  const leaving = new AbortController();
  const value = (host: Host, state: "ready" | "drain") =>
    entryValue({ ...entry, address: { host, port } }, state);

  /** Follows the check until the process leaves; gives the process's address. */
  async function follow(signal: AbortSignal): Promise<Host | undefined> {
    const onFailure = (error: unknown, attempt: number) => onEvent({ kind: "unreachable", error, attempt });
    const host = options.host ?? await findOwnHost({ endpoints: etcd.endpoints, onFailure, signal });
    if (host === undefined) return undefined;
    const reason = objectionTo({ host, port }, undefined, ANY_NETWORK);
    if (reason !== undefined) onEvent({ kind: "unusual-address", reason });
    const onChange = (passes: boolean) => {
      if (check !== undefined) onEvent({ kind: "health", passes });
      if (passes) registration.update(value(host, "ready"));
      else registration.withdraw();
    };
    if (check === undefined) onChange(true);
    else await watchHealth(check, { signal, onChange });
    return host;
  }

  const following = follow(leaving.signal);
  return {
    taken: registration.taken.then((leaseId) =>
      new ControllerError("operator", `Cannot register ${key}: ${ownerText(leaseId)}`)
    ),
    drain: async (hurry) => {
      onEvent({ kind: "leaving" });
      leaving.abort();
      const host = await following;
      const drainValue = host === undefined ? "" : value(host, "drain");
      const { nodesPrefix } = etcd;
      const limitMs = options.drainTimeoutMs;
      const end = await deregister({ client, registration, server, drainValue, nodesPrefix, limitMs, hurry });
      onEvent({ kind: "drained", end });
    },
    remove: async () => {
      leaving.abort();
      const before = registration.state();
      const removal = await registration.remove({ limitMs: REMOVE_LIMIT_MS });
      const mayHaveKey = before.kind === "registered" || before.kind === "connecting" && before.attempted;
      if (mayHaveKey) onEvent(removal);
    },
  };
}
