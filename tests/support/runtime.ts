import { assert, assertEquals } from "@std/assert";
import { ask } from "../../lib/haproxy/socket.ts";
import { type EtcdCluster, Load } from "./mod.ts";
import type { TestNode } from "./node.ts";

/** Registers, changes or removes servers of the service `backend`. */
export function registry(etcd: EtcdCluster) {
  return {
    put: (id: string, value: string | Record<string, unknown>) =>
      etcd.put(`/services/backend/${id}`, typeof value === "string" ? value : JSON.stringify(value)),
    del: (id: string) => etcd.delete(`/services/backend/${id}`),
  };
}

/** A column of `show stat` for one server of backend `backend`. */
export async function stat(node: TestNode, server: string, column: string): Promise<string> {
  const [head = "", ...rows] = (await ask(node.runtimeSocket, "show stat")).split("\n");
  const at = head.replace(/^# /, "").split(",").indexOf(column);
  const row = rows.find((row) => row.startsWith(`backend,${server},`));
  return row?.split(",")[at] ?? "none";
}

/** Clients of both kinds on a node. */
export function loadOn(node: TestNode): Load {
  return new Load({
    targets: [{ name: "node", url: node.url, keepAliveClients: 4, oneShotClients: 4 }],
    pauseMs: 15,
  });
}

/** No request of the running chapter has failed, and there were enough of them to tell. */
export function assertNoFailure(load: Load): void {
  const { requests, failed, kinds } = load.chapter.all;
  assertEquals([failed, [...kinds]], [0, []]);
  assert(requests > 100, `only ${requests} requests`);
}
