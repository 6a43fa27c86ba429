import { prepareProcess } from "../etcd/process.ts";
import { type NodeSettings, openNode, type WrapHaproxy } from "../node/node.ts";
import { listenForStop } from "./signals.ts";

/**
 * `etcd-haproxy run`: keeps this node's HAProxy in step with etcd until SIGTERM or SIGINT. SIGHUP asks for a pass that
 * reads the template again.
 *
 * @throws {ControllerError} when the node cannot start
 */
export async function run(
  settings: NodeSettings,
  wrapHaproxy: WrapHaproxy = (haproxy) => haproxy,
): Promise<void> {
  prepareProcess();
  const node = await openNode(settings, {
    hostname: Deno.hostname(),
    path: Deno.env.get("PATH") ?? "",
    wrapHaproxy,
  });
  Deno.addSignalListener("SIGHUP", node.resync);
  await node.run(listenForStop());
}
