import { ControllerError } from "../util/errors.ts";
import { asciiJson } from "../util/escape.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { type NodesRead, readNodes } from "../ack/wait.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import type { StatusOptions, WaitFor } from "./options.ts";
import { nodesJson, nodesTable } from "./nodes_table.ts";
import { answerTo, withEtcd } from "./connect.ts";
import { waitInWords } from "./waiting.ts";
import { watchNodes } from "./watch_nodes.ts";

/** `etcd-haproxy status`: shows all nodes, and with `--wait` waits for them. Returns the exit code, 0 or 1. */
export function status(settings: EtcdSettings, options: StatusOptions): Promise<number> {
  return withEtcd(settings, async (client) => {
    if (options.watch) return await watchNodes(client, settings.nodesPrefix);
    const code = options.wait === undefined
      ? 0
      : await wait(client, settings, { ...options, wait: options.wait });
    show(await read(client, settings), options);
    return code;
  });
}

function show(nodes: NodesRead, { json }: StatusOptions): void {
  if (!json) return nodesTable(nodes, Date.now()).forEach((line) => console.log(line));
  const { revision, clusterId } = nodes;
  console.log(asciiJson({ revision, clusterId, ...nodesJson(nodes) }, { indent: 2 }));
}

function read({ kv }: EtcdClient, { nodesPrefix, endpoints }: EtcdSettings): Promise<NodesRead> {
  return answerTo(readNodes(kv, nodesPrefix), `read the nodes' keys from ${endpoints.join(", ")}`);
}

async function wait(
  client: EtcdClient,
  settings: EtcdSettings,
  { wait, timeoutMs }: StatusOptions & { wait: Exclude<WaitFor, undefined> },
): Promise<number> {
  const { revision: now, clusterId, nodes } = await read(client, settings);
  const at = wait === "newest" ? now : wait;
  if (at > now) {
    throw new ControllerError(
      "operator",
      `Cannot wait for revision ${at}: the store is at revision ${now}, so it is another store or was restored`,
    );
  }
  // A revision that all nodes have applied needs no search for the change before it.
  const isApplied = nodes.every(({ applied }) => applied !== undefined && applied >= at);
  const target = { revision: isApplied ? at : undefined, at, clusterId, timeoutMs };
  const { kind, revision, lines } = await waitInWords(client, settings, target);
  if (kind === "passed") return 0;
  lines.forEach((line) =>
    console.error(`etcd-haproxy: revision ${revision} is not applied everywhere: ${line}`)
  );
  return 1;
}
