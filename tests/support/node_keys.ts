import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { readNodes } from "../../lib/ack/wait.ts";
import type { NodeView } from "../../lib/ack/keys.ts";
import { startEtcdCluster } from "../../tools/local/etcd_cluster.ts";
import { waitFor } from "../../tools/local/wait.ts";

export const NODES_PREFIX = "/haproxy/nodes/";

/** One etcd member, what its nodes say, and the registry's only service. */
export async function setting() {
  const etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  const putKey = async (key: string, value: string | Record<string, unknown>): Promise<bigint> => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return BigInt((await client.kv.put(key).value(text).exec()).header.revision);
  };
  const delKey = async (key: string): Promise<bigint> =>
    BigInt((await client.kv.delete().key(key).exec()).header.revision);
  const entry = (id: string) => `/services/backend/${id}`;
  const override = (id: string) => `/haproxy/settings/servers/backend/${id}`;
  const nodes = async () => (await readNodes(client.kv, NODES_PREFIX)).nodes;
  const untilNode = (what: string, name: string, is: (node: NodeView) => boolean) =>
    waitFor(what, async () => {
      const all = await nodes();
      const found = all.find(({ node }) => node === name);
      if (found === undefined || !is(found)) throw new Error(text(all));
      return found;
    }, { deadlineMs: 30_000, everyMs: 20 });
  return {
    etcd,
    client,
    put: (id: string, value: string | Record<string, unknown>) => putKey(entry(id), value),
    del: (id: string) => delKey(entry(id)),
    override: (id: string, value: Record<string, unknown>) => putKey(override(id), value),
    delOverride: (id: string) => delKey(override(id)),
    nodes,
    untilNode,
    untilApplied: (name: string, revision: bigint) =>
      untilNode(
        `revision ${revision} of ${name}`,
        name,
        ({ applied }) => applied !== undefined && applied >= revision,
      ),
    async [Symbol.asyncDispose]() {
      client.close();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

/** One key below the nodes prefix, as etcd has it. */
export async function keyOf({ client }: { client: EtcdClient }, name: string) {
  const { kvs } = await client.kv.get(`${NODES_PREFIX}${name}`).exec();
  const [key] = kvs;
  if (key === undefined) throw new Error(`there is no key ${name}`);
  return key;
}

/** A value as JSON, whatever its numbers are. */
export const text = (value: unknown) =>
  JSON.stringify(value, (_, inner) => typeof inner === "bigint" ? `${inner}` : inner);
