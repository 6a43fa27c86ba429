import {
  type Etcd3,
  EtcdLeaseInvalidError,
  GRPCUnavailableError,
  type IDuplexStream,
  type ILeaseKeepAliveRequest,
  type ILeaseKeepAliveResponse,
} from "etcd3";
import { type CallBounds, within } from "../util/time.ts";
import { CALL_DEADLINE_MS } from "./endpoint.ts";
import { explainStreamFailure } from "./refusal.ts";

/** A lease that is kept alive. Times are milliseconds of `performance.now()`. */
export interface Lease {
  readonly id: string;
  /** May be longer than what was asked for. */
  readonly ttlMs: number;
  readonly renewedAtMs: number;
  /** When to renew it next: three times in its life, spread so that leases granted together are not renewed together. */
  readonly renewAtMs: number;
}

type KeepAliveStream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;

/** Grants a lease. If the answer is lost, the lease has no keys and ends by itself. */
export async function grantLease(kv: Etcd3, ttlSeconds: number, bounds: CallBounds): Promise<Lease> {
  const askedAtMs = performance.now();
  const { ID: id, TTL } = await within(kv.leaseClient.leaseGrant({ TTL: ttlSeconds }), bounds);
  const ttlMs = Number(TTL) * 1_000;
  return { id, ttlMs, ...renewalTimes(askedAtMs, ttlMs) };
}

/**
 * Renews a lease that is kept alive. A retry asks two endpoints: the client picks one at random, so a single call could
 * reach the hanging one again and again.
 *
 * @returns undefined when the lease has ended; its keys went with it
 */
export async function keepLease<L extends Lease>(
  kv: Etcd3,
  lease: L,
  { signal, isRetry = false }: { readonly signal: AbortSignal; readonly isRetry?: boolean },
): Promise<L | undefined> {
  const askedAtMs = performance.now();
  const bounds = { limitMs: Math.min(CALL_DEADLINE_MS, Math.floor(lease.ttlMs / 3)), signal };
  const calls = Array.from({ length: isRetry ? 2 : 1 }, () => renewLease(kv, lease.id, bounds));
  const isRenewed = await Promise.any(calls).catch(({ errors }: AggregateError) => {
    throw errors[0];
  });
  return isRenewed ? { ...lease, ...renewalTimes(askedAtMs, lease.ttlMs) } : undefined;
}

/** The time counts from the question: etcd may have renewed the lease long before its answer came. */
function renewalTimes(askedAtMs: number, ttlMs: number): Pick<Lease, "renewedAtMs" | "renewAtMs"> {
  return { renewedAtMs: askedAtMs, renewAtMs: askedAtMs + ttlMs / 3 * (1 - Math.random() / 4) };
}

/**
 * Renews a lease, once. etcd offers this only as a stream without a deadline, which would hang for as long as a member is
 * frozen. So each renewal is a short stream within bounds, on an endpoint that the client picks at random.
 *
 * @returns false when the lease no longer exists
 */
export async function renewLease(kv: Etcd3, leaseId: string, bounds: CallBounds): Promise<boolean> {
  const opening = kv.leaseClient.leaseKeepAlive();
  let stream: KeepAliveStream | undefined;
  const asking = async () => ask(stream = await opening, leaseId);
  try {
    const answer = await within(asking(), bounds);
    // Ended, not cancelled: etcd3 takes a cancelled stream for a failed endpoint and drops its connections.
    stream?.end();
    return Number(answer.TTL) > 0;
  } catch (error) {
    opening.then((stream) => stream.cancel(), () => {});
    throw stream === undefined ? error : explainStreamFailure(stream, error);
  }
}

/**
 * Revokes a lease, and so deletes the keys attached to it. It is no error if the lease has ended before.
 *
 * @returns the revision of the deletion; `undefined` if the lease had ended before
 */
export async function revokeLease(
  kv: Etcd3,
  leaseId: string,
  bounds: CallBounds,
): Promise<bigint | undefined> {
  try {
    const revoked = await within(kv.leaseClient.leaseRevoke({ ID: leaseId }), bounds);
    return BigInt(revoked.header.revision);
  } catch (error) {
    if (isLeaseEnded(error)) return undefined;
    throw error;
  }
}

/** Whether a call failed because its lease no longer exists. */
export function isLeaseEnded(error: unknown): boolean {
  return error instanceof EtcdLeaseInvalidError;
}

function ask(stream: KeepAliveStream, leaseId: string): Promise<ILeaseKeepAliveResponse> {
  return new Promise((resolve, reject) => {
    stream.on("data", resolve);
    stream.on("error", reject);
    stream.on("end", () => reject(new GRPCUnavailableError("the stream was ended")));
    stream.write({ ID: leaseId });
  });
}
