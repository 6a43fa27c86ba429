import { openInstance } from "../ack/instance.ts";
import { publishNode } from "../ack/publisher.ts";
import type { RenderOptions } from "../config/options.ts";
import { renderConfig } from "../config/render.ts";
import { createMirror } from "../etcd/mirror.ts";
import { openEtcd, prefixesOf } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { createReread } from "../etcd/reread.ts";
import { findHaproxy, versionIfThere } from "../haproxy/binary.ts";
import { openStateDir } from "../haproxy/state/dir.ts";
import type { HaproxyPort } from "../reconcile/ports.ts";
import type { ReconcilePorts } from "../reconcile/reconcile.ts";
import { log } from "../util/log.ts";
import type { Bind } from "../util/flag_kinds.ts";
import { aborted, sleep } from "../util/time.ts";
import { readCommit, VERSION } from "../util/version.ts";
import { createNodeKeys } from "./announce.ts";
import { createAdmin, serveAdmin } from "./admin.ts";
import { runController } from "./controller.ts";
import { createEventsApi } from "./events_api.ts";
import { logEvents } from "./event_log.ts";
import { guardPort } from "./guard.ts";
import { type NodeHaproxy, openHaproxy } from "./haproxy.ts";
import { builtIn } from "./haproxy_process.ts";
import { createHealthCache } from "./health_cache.ts";
import { createJournal, startIdOf } from "./journal.ts";
import { createMetrics } from "./metrics.ts";
import type { RunOptions } from "./options.ts";
import { networksOf, remoteUrl } from "./listen.ts";
import { atStop, type Part, runParts } from "./parts.ts";
import { admissionOf } from "./probing.ts";
import { createRecorder } from "./recorder.ts";
import { renderSettings, socketAlias, templateSource } from "./rendering.ts";
import { createTrigger } from "./trigger.ts";

/** The settings of a node. */
export interface NodeSettings {
  readonly etcd: EtcdSettings;
  readonly render: RenderOptions;
  readonly run: RunOptions;
  readonly adminBind: Bind;
}

/** Wraps the port to HAProxy, so that a test can watch or disturb each step of a pass. */
export type WrapHaproxy = (haproxy: HaproxyPort) => HaproxyPort;

/** What a node needs to know about its process. */
export interface World {
  /** The name of this host. */
  readonly hostname: string;
  /** Where programs are searched, as in `PATH`. */
  readonly path: string;
  readonly wrapHaproxy: WrapHaproxy;
}

/** What the process tells a running node. */
export interface NodeSignals {
  /** Aborted when the node should stop. */
  readonly stop: AbortSignal;
  /** Aborted when the node should stop without waiting. */
  readonly hurry: AbortSignal;
}

/** One node: a controller and its HAProxy. */
export interface Node {
  /** Asks for a pass that reads the template again and checks all of HAProxy. */
  resync(): void;
  /** Runs until it is told to stop and all its parts have ended. Rejects when a part fails. */
  run(signals: NodeSignals): Promise<void>;
}

/** How often a pass is made although nothing changed. */
const RESYNC_MS = 30_000;

/**
 * Assembles a node. Its parts start with `run()`. Many nodes can run in one process: nothing here changes the process.
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
  const metrics = createMetrics(commit);
  const probes = new AbortController();
  const { runtimeSocket } = stateDir.dir;
  const admission = admissionOf(run.admission, { runtimeSocket, signal: probes.signal });
  const startId = startIdOf({ at: Date.now(), random: Math.random() });
  const journal = createJournal({ startId, wall: Date.now });
  opening.defer(journal.stop);
  const node = run.nodeId ?? world.hostname;
  const attached = run.attach !== undefined;
  const recorder = createRecorder({ node, version: VERSION, haproxyVersion }, {
    onEvents: (events) => {
      metrics.onEvents(events);
      logEvents(events);
      journal.put(events);
    },
    attached,
    admissionsWaiting: admission.probing,
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

  const client = await openEtcd(settings.etcd);
  opening.defer(client.close);
  const prefixes = prefixesOf(settings.etcd);
  const source = (run.source === "mirror" ? createMirror : createReread)({
    client,
    prefixes: [prefixes.services, prefixes.overrides],
    onChange: () => {
      recorder.onChange();
      trigger.ring();
    },
    onEvent: recorder.onEtcdEvent,
  });
  const look = createHealthCache(port);
  const facts = async ({ health }: { readonly health: boolean }) => {
    const observed = health ? await look() : undefined;
    if (observed !== undefined) recorder.onSeen(observed);
    return recorder.facts();
  };
  const events = createEventsApi(journal);
  const admin = createAdmin({ facts, metrics, events: events.respond, now: Date.now });
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
    facts,
    admin: remoteUrl(settings.adminBind, world.hostname),
  });
  const ports: ReconcilePorts = {
    haproxy: port,
    admission,
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
  const control = (signal: AbortSignal) =>
    runController({
      trigger,
      ports,
      signal,
      resyncMs: RESYNC_MS,
      snapshot: source.snapshot,
      onStart: (snapshot, askedAt) => {
        recorder.onPassStart(askedAt);
        keys.onSnapshot(snapshot);
      },
      onPass: (pass) => {
        metrics.onPass(pass);
        recorder.onPass(pass);
        keys.onPass(pass);
      },
      onError: recorder.onPassError,
    });
  const onStop = () => {
    recorder.onStopping(run.stopDelayMs);
    events.close();
  };
  const opened = opening.move();

  return {
    resync: trigger.resync,
    run: async ({ stop, hurry }) => {
      using _opened = opened;
      await using server = serveAdmin(settings.adminBind, admin);
      log().info("node started", {
        node,
        version: VERSION,
        haproxy: haproxyVersion,
        admin: server.address ?? "not yet",
        endpoints: settings.etcd.endpoints,
      });
      // Streams of events would keep the admin server open, also after a part has failed.
      using _events = { [Symbol.dispose]: events.close };
      // Parts stop in reverse order: the keys stay until HAProxy has ended.
      await runParts([
        atStop("the node's keys", keys.end),
        ...haproxy.parts(hurry),
        served(haproxy, { name: "the mirror", run: source.run }),
        served(haproxy, { name: "announcements", run: keys.run }),
        atStop("probes", () => probes.abort()),
        { name: "the controller", run: control },
      ], leaving({ stop, hurry }, { onStop, stopDelayMs: run.stopDelayMs }));
      await haproxy.forget();
    },
  };
}

/** A part that starts when HAProxy has started from its file: etcd may be down. */
function served(haproxy: NodeHaproxy, { name, run }: Part): Part {
  return {
    name,
    run: async (signal) => {
      await haproxy.served(signal);
      await run(signal);
    },
  };
}

/** Aborted when the parts should stop: `stopDelayMs` after the node was told to stop, and is no longer ready. */
function leaving(
  { stop, hurry }: NodeSignals,
  { onStop, stopDelayMs }: { readonly onStop: () => void; readonly stopDelayMs: number },
): AbortSignal {
  const over = new AbortController();
  aborted(stop).then(async () => {
    onStop();
    await sleep(stopDelayMs, hurry);
    over.abort();
  });
  return over.signal;
}
