import type { EtcdClient } from "../etcd/client.ts";
import { writeOverride, type WriteOverrideResult } from "./write_override.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import type { OperatorAction, OperatorOptions } from "./options.ts";
import { serverKey } from "../registry/model.ts";
import { prefixesOf } from "../etcd/open.ts";
import { answerTo, withEtcd } from "./connect.ts";
import { waitInWords } from "./waiting.ts";

export interface OperatorCommand extends OperatorOptions {
  readonly server: { readonly service: string; readonly id: string };
  readonly action: OperatorAction;
}

/**
 * `etcd-haproxy drain`, `ready`, `maint` and `weight`: override a server, and with `--wait` wait until every live node
 * has applied it. Returns the exit code, 0 or 1.
 */
export function operate(settings: EtcdSettings, command: OperatorCommand): Promise<number> {
  return withEtcd(settings, async (client) => {
    const result = await write(client, settings, command);
    const name = serverKey(command.server);
    console.log(`${name}: ${inWords(command.action, result)}`);
    if (!result.hasEntry && command.action.kind !== "ready") {
      console.error(`etcd-haproxy: ${name} is not registered: the override applies once it is`);
    }
    return command.wait ? await wait(client, settings, { ...command, result }) : 0;
  });
}

function write(
  { kv }: EtcdClient,
  settings: EtcdSettings,
  { server, action }: OperatorCommand,
): Promise<WriteOverrideResult> {
  const { services, overrides } = prefixesOf(settings);
  const name = serverKey(server);
  const keys = { key: `${overrides}${name}`, entryKey: `${services}${name}` };
  return answerTo(writeOverride(kv, keys, action), `override ${name}`);
}

function inWords(action: OperatorAction, { changed, revision }: WriteOverrideResult): string {
  if (action.kind === "ready") {
    return changed ? `override deleted at revision ${revision}` : "there is no override";
  }
  const what = action.kind === "weight" ? `weight ${action.weight}` : `state ${action.kind}`;
  return changed ? `${what} at revision ${revision}` : `${what} already, at revision ${revision} or before`;
}

/** A server that is to stop must have no more requests; for the others only the revision counts. */
async function wait(
  client: EtcdClient,
  settings: EtcdSettings,
  { server, action, timeoutMs, result }: OperatorCommand & { result: WriteOverrideResult },
): Promise<number> {
  const isStop = action.kind === "weight" ? action.weight === 0 : action.kind !== "ready";
  const waited = await waitInWords(client, settings, {
    // A missing override may have been deleted a moment ago, which leaves no revision.
    revision: result.revision,
    at: result.readAt,
    clusterId: result.clusterId,
    timeoutMs,
    server: isStop ? serverKey(server) : undefined,
  });
  if (waited.kind !== "behind") {
    waited.lines.forEach((line) => console.log(line));
    return 0;
  }
  waited.lines.forEach((line) => console.error(`etcd-haproxy: not in time: ${line}`));
  return 1;
}
