import { openInstance } from "../ack/instance.ts";
import { publishNode } from "../ack/publisher.ts";
import type { RenderOptions } from "../config/options.ts";
import { renderConfig } from "../config/render.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { findHaproxy, versionIfThere } from "../haproxy/binary.ts";
import { openStateDir } from "../haproxy/state/dir.ts";
import type { HaproxyPort } from "../reconcile/ports.ts";
import type { ReconcilePorts } from "../reconcile/reconcile.ts";
import { log } from "../util/log.ts";
import type { Bind } from "../util/flag_kinds.ts";
import { sleep } from "../util/time.ts";
import { readCommit, VERSION } from "../util/version.ts";
import { createNodeKeys } from "./announce.ts";
import { control } from "./control.ts";
import { logEvents } from "./event_log.ts";
import type { NodeEvent } from "./events.ts";
import { guardPort } from "./guard.ts";
import { type NodeHaproxy, openHaproxy } from "./haproxy.ts";
import { builtIn } from "./haproxy_process.ts";
import { createJournal } from "./journal.ts";
import { startIdOf } from "./journal/id.ts";
import { createLag } from "./lag.ts";
import { remoteUrl } from "./listen.ts";
import { createMetrics } from "./metrics.ts";
import type { RunOptions } from "./options.ts";
import { networksOf } from "./own_addresses.ts";
import { aborted, type Part, runParts } from "./parts.ts";
import { createProbing } from "./probing.ts";
import { createRecorder, type NodeRecorder } from "./recorder.ts";
import { openRegistry } from "./registry.ts";
import { serveAdmin } from "./serve_admin.ts";
import { renderSettings, socketAlias } from "./settings.ts";
import { createShow, type NodeShow } from "./show.ts";
import { templateSource } from "./template.ts";
import { createTrigger } from "./trigger.ts";

/** What a node is to do. */
export interface NodeSettings {
  readonly etcd: EtcdSettings;
  readonly render: RenderOptions;
  readonly run: RunOptions;
  readonly adminBind: Bind;
}

/** Puts something around the port to HAProxy: a program of one's own can watch or disturb each step of a pass. */
export type WrapHaproxy = (haproxy: HaproxyPort) => HaproxyPort;

/** What a node takes from the process that it runs in. */
export interface World {
  /** The name of this host. */
  readonly hostname: string;
  /** Where programs are looked for, as in `PATH`. */
  readonly path: string;
  readonly wrapHaproxy: WrapHaproxy;
}

/** What a running node is told by its process. */
export interface NodeSignals {
  /** Aborted when the node is to stop. */
  readonly stop: AbortSignal;
  /** Aborted when it is to stop without waiting. */
  readonly hurry: AbortSignal;
}

/** One node: a controller and its HAProxy. */
export interface Node {
  readonly recorder: NodeRecorder;
  /** Asks for a pass that looks at template and HAProxy anew. */
  resync(): void;
  /** Works until it is told to stop and all that it started has ended. Rejects when a part of it fails. */
  run(signals: NodeSignals): Promise<void>;
}

/**
 * Puts a node together; nothing runs yet but what has to be asked first. Many nodes can run in one process: nothing here
 * touches what a process has only once.
 *
 * @throws {ControllerError} when the node cannot start
 */
export async function openNode(settings: NodeSettings, world: World): Promise<Node> {
  const { render, run } = settings;
  const program = () => findHaproxy(render.haproxy, world.path);
  const [haproxyVersion, commit] = await Promise.all([versionIfThere(program), readCommit()]);
  using opening = new DisposableStack();
  const stateDir = await openStateDir(render.stateDir);
  opening.defer(stateDir.release);

  const trigger = createTrigger(run);
  const lag = createLag();
  const metrics = createMetrics(commit);
  const probing = createProbing(run.admission, stateDir.dir.runtimeSocket);
  const journal = createJournal<NodeEvent>({
    startId: startIdOf({ at: Date.now(), random: Math.random() }),
    wall: Date.now,
    onEvents: logEvents,
  });
  opening.defer(journal.stop);
  const node = run.nodeId ?? world.hostname;
  const attached = run.attach !== undefined;
  const recorder = createRecorder({ node, version: VERSION, haproxyVersion }, {
    metrics,
    journal,
    attached,
    lagMs: lag.ageMs,
    admissionsWaiting: probing.admission.probing,
    now: Date.now,
  });

  const template = templateSource(render.template);
  const rendering = renderSettings(render);
  const alias = socketAlias(render);
  const haproxy = await openHaproxy({
    program,
    configPath: render.config,
    replaceConfig: run.replaceConfig,
    attach: run.attach,
    stateDir,
    builtIn: () => builtIn(template, rendering),
    socketAlias: alias,
    stopTimeoutMs: run.stopTimeoutMs,
  }, { recorder, trigger });
  const port = world.wrapHaproxy(haproxy.port);

  const { client, source, prefixes } = await openRegistry(settings.etcd, run.source, {
    onChange: () => {
      lag.onChange();
      trigger.ring();
    },
    onEvent: recorder.onEtcdEvent,
  });
  opening.defer(client.close);
  const show = createShow({ recorder, journal, metrics, haproxy: port });
  const instance = await openInstance(stateDir.dir.instance, stateDir.files);
  const keys = createNodeKeys({
    publisher: publishNode({
      kv: client.kv,
      nodesPrefix: settings.etcd.nodesPrefix,
      node,
      instance,
      ttlSeconds: Math.ceil(run.nodeTtlMs / 1_000),
      onEvent: recorder.onNodeKeys,
    }),
    instance: instance.current,
    dir: haproxy.dir,
    files: stateDir.files,
    prefixes,
    attached,
    isSynced: source.isSynced,
    haproxy: haproxy.state,
    facts: show.facts,
    admin: remoteUrl(settings.adminBind, world.hostname),
  });
  const ports: ReconcilePorts = {
    haproxy: port,
    admission: probing.admission,
    guard: guardPort(run.guard, stateDir),
    mode: run.apply,
    prefixes,
    networks: networksOf(render, settings.adminBind),
    render: async (model) =>
      renderConfig(model, await template(), { ...rendering, runtimeSocket: alias.now() }),
    reloadIntervalMs: run.reloadIntervalMs,
    now: () => performance.now(),
    random: Math.random,
    wait: sleep,
  };
  const opened = opening.move();

  return {
    recorder,
    resync: trigger.resync,
    run: async ({ stop, hurry }) => {
      using _opened = opened;
      await using admin = serveAdmin(settings.adminBind, show.respond);
      log().info("node started", {
        node,
        version: VERSION,
        haproxy: haproxyVersion,
        admin: admin.address ?? "not yet",
        endpoints: settings.etcd.endpoints,
      });
      // A client that reads events would keep the admin server open, also after a part has failed.
      using shown = new DisposableStack();
      shown.defer(show.close);
      // Stopped from the last to the first: HAProxy serves what the keys say until it has ended.
      await runParts([
        keys.part,
        ...haproxy.parts(hurry),
        served(haproxy, { name: "the mirror", run: source.run }),
        served(haproxy, { name: "announcements", run: keys.run }),
        probing.part,
        control({ trigger, lag, source, ports, recorder, keys }),
      ], leaving({ stop, hurry }, { recorder, show }, run.stopDelayMs));
      await haproxy.forget();
    },
  };
}

/** A part that begins when what an earlier run left is served: etcd may be away. */
function served(haproxy: NodeHaproxy, { name, run }: Part): Part {
  return {
    name,
    run: async (signal) => {
      await haproxy.served(signal);
      await run(signal);
    },
  };
}

/** Aborted when the node stops following: when it was told to stop, and was not ready for a while. */
function leaving(
  { stop, hurry }: NodeSignals,
  { recorder, show }: { readonly recorder: NodeRecorder; readonly show: NodeShow },
  stopDelayMs: number,
): AbortSignal {
  const over = new AbortController();
  aborted(stop).then(async () => {
    recorder.onStopping(stopDelayMs);
    show.close();
    await sleep(stopDelayMs, hurry);
    over.abort();
  });
  return over.signal;
}
