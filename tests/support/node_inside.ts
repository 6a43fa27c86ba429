import { type Node, type NodeSettings, openNode, type World } from "../../lib/node/node.ts";
import { type EtcdCluster, isPortFree, pickPorts, tempDir, waitFor } from "./mod.ts";
import { nodeSettings } from "./node_settings.ts";

const DEFAULTS = { "reload-interval": "0", "guard": "off" };
const WORLD: World = {
  hostname: "lb.invalid",
  path: Deno.env.get("PATH") ?? "",
  wrapHaproxy: (haproxy) => haproxy,
};

/** A node that runs in the test's own process. */
export interface NodeInside extends AsyncDisposable {
  readonly name: string;
  readonly dir: string;
  readonly settings: NodeSettings;
  /** Where it serves. */
  readonly url: string;
  readonly adminUrl: string;
  readonly node: Node;
  /** Ends it, as SIGTERM ends a process; resolves when it has ended. */
  stop(): Promise<void>;
  /** Settles when it has ended. */
  readonly ended: Promise<void>;
  /** Ports that it listens on and that are not free. */
  takenPorts(): number[];
  /** Opens another node in the same places. */
  openAgain(flags?: Readonly<Record<string, string | boolean>>): Promise<Node>;
}

/** Opens a node with a directory and ports of its own, and runs it. */
export async function startNodeInside(
  etcd: EtcdCluster,
  name: string,
  { flags = {}, world = {} }: {
    readonly flags?: Readonly<Record<string, string | boolean>>;
    readonly world?: Partial<World>;
  } = {},
): Promise<NodeInside> {
  const dir = await tempDir();
  const [port = 0, statsPort = 0, adminPort = 0] = pickPorts(3);
  const places = {
    ...DEFAULTS,
    "endpoints": etcd.endpoints.join(),
    "bind": `127.0.0.1:${port}`,
    "stats-bind": `127.0.0.1:${statsPort}`,
    "admin-bind": `127.0.0.1:${adminPort}`,
    "config": `${dir.path}/haproxy.cfg`,
    "state-dir": `${dir.path}/state`,
    "node-id": name,
    ...flags,
  };
  const settings = nodeSettings(places);
  const node = await openNode(settings, { ...WORLD, ...world });
  const [stop, hurry] = [new AbortController(), new AbortController()];
  const ended = node.run({ stop: stop.signal, hurry: hurry.signal });
  // Without this, a rejection before the first wait would be an unhandled error.
  ended.catch(() => {});
  return {
    ...{ name, dir: dir.path, settings, node, ended },
    url: `http://127.0.0.1:${port}/`,
    adminUrl: `http://127.0.0.1:${adminPort}/`,
    stop: () => {
      stop.abort();
      return ended;
    },
    takenPorts: () => [port, statsPort, adminPort].filter((port) => !isPortFree(port)),
    openAgain: (more = {}) => openNode(nodeSettings({ ...places, ...more }), { ...WORLD, ...world }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      hurry.abort();
      await ended.catch(() => {});
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Starts and stops a node that was opened, without waiting for anything. */
export async function runBriefly(node: Node): Promise<void> {
  await node.run({ stop: AbortSignal.abort(), hurry: AbortSignal.abort() });
}

/** One request through a node, on a connection of its own. */
export async function answerOf({ url }: NodeInside): Promise<string> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = await fetch(url, { client });
  const body = await response.text();
  return response.status === 200 ? body : String(response.status);
}

/** Waits until each of these nodes is answered for by exactly these servers. */
export async function untilAllAnswer(nodes: readonly NodeInside[], names: readonly string[]): Promise<void> {
  const wanted = [...names].sort().join();
  await Promise.all(nodes.map((node) =>
    waitFor(`answers of ${wanted} through ${node.name}`, async () => {
      const answers = await Promise.all([...names, ...names, ...names].map(() => answerOf(node)));
      const seen = [...new Set(answers)].sort().join();
      if (seen !== wanted) throw new Error(`${node.name} answers ${seen}`);
      return true;
    })
  ));
}
