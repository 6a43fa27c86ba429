// etcd's HTTP gateway: the calls that are made again and again, each for a fraction of what a run of etcdctl costs.

// Longer than etcd needs to give up a write that was lost with its leader (5 s and two election timeouts).
const CALL_LIMIT_MS = 15_000;
/** gRPC's code for "another one may know": no leader, or a write that was lost with it. */
const UNAVAILABLE = 14;

/** What a member says of itself. Ids are written as etcdctl writes them. */
export interface MemberStatus {
  readonly id: string;
  readonly leader: string;
  readonly revision: bigint;
}

/** One key as etcd has it. */
export interface EtcdKey {
  readonly key: string;
  readonly value: string;
  readonly modRevision: bigint;
}

/** What the gateway answers, as far as it is looked at. It leaves out what is zero, false or empty. */
interface GatewayAnswer {
  readonly header?: { readonly revision?: string; readonly member_id?: string };
  readonly leader?: string;
  readonly kvs?: readonly { readonly key: string; readonly value?: string; readonly mod_revision: string }[];
  /** The reason of a refusal. */
  readonly error?: string;
  /** gRPC's code of it. */
  readonly code?: number;
}

/**
 * Puts a key, without a lease. One endpoint after the other is asked, until one can do it.
 *
 * @throws {Error} when none can, or one refuses
 */
export async function putKey(endpoints: readonly string[], key: string, value: string): Promise<void> {
  await call(endpoints, "kv/put", { key: encode(key), value: encode(value) });
}

/** Deletes a key if it is there. @throws {Error} as `putKey()` */
export async function deleteKey(endpoints: readonly string[], key: string): Promise<void> {
  await call(endpoints, "kv/deleterange", { key: encode(key) });
}

/** One key; nothing when it is not there. @throws {Error} as `putKey()` */
export async function readKey(endpoints: readonly string[], key: string): Promise<EtcdKey | undefined> {
  const { kvs = [] } = await call(endpoints, "kv/range", { key: encode(key) });
  return kvs.map(keyOf)[0];
}

/** All keys that begin with `prefix`, which must not be empty. @throws {Error} as `putKey()` */
export async function readKeys(endpoints: readonly string[], prefix: string): Promise<EtcdKey[]> {
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  const { kvs = [] } = await call(endpoints, "kv/range", { key: encode(prefix), range_end: encode(end) });
  return kvs.map(keyOf);
}

/** Asks one member for its status. @throws {Error} when it does not answer */
export async function memberStatus(endpoint: string): Promise<MemberStatus> {
  const { header, leader = "0" } = await call([endpoint], "maintenance/status", {});
  return {
    id: BigInt(header?.member_id ?? 0).toString(16),
    leader: BigInt(leader).toString(16),
    revision: BigInt(header?.revision ?? 0),
  };
}

async function call(endpoints: readonly string[], method: string, body: unknown): Promise<GatewayAnswer> {
  let failure = "no member runs";
  for (const endpoint of endpoints) {
    const response = await ask(`${endpoint}/v3/${method}`, body);
    if (typeof response === "string") {
      failure = response;
      continue;
    }
    const answer: GatewayAnswer = await response.json();
    if (response.ok) return answer;
    failure = `${endpoint}: ${answer.error}`;
    // A member that was frozen may not know yet who leads; another one does.
    if (answer.code !== UNAVAILABLE) break;
  }
  throw new Error(`Cannot call ${method} of etcd: ${failure}`);
}

/** The response, or why there is none. */
async function ask(url: string, body: unknown): Promise<Response | string> {
  try {
    return await fetch(url, {
      method: "POST",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function keyOf({ key, value = "", mod_revision }: NonNullable<GatewayAnswer["kvs"]>[number]): EtcdKey {
  return { key: decode(key), value: decode(value), modRevision: BigInt(mod_revision) };
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

function decode(base64: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(base64));
}
