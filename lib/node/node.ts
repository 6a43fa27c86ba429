import { openInstance } from "../ack/instance.ts";
import { publishNode } from "../ack/publisher.ts";
import type { RenderOptions } from "../config/options.ts";
import { renderConfig } from "../config/render.ts";
import { createMirror, type Source, type SourceOptions } from "../etcd/mirror.ts";
import { etcdFromSettings, prefixesOf } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { createReread } from "../etcd/reread.ts";
import { ADMIT_ALL, createAdmission } from "../haproxy/admission.ts";
import { findHaproxy, versionIfThere } from "../haproxy/binary.ts";
import { bringUp } from "../haproxy/change.ts";
import { openStateDir } from "../haproxy/state/dir.ts";
import { healthUpLine } from "../haproxy/wire/commands.ts";
import type { Admission, HaproxyPort } from "../reconcile/ports.ts";
import type { ReconcilePorts } from "../reconcile/reconcile.ts";
import { log } from "../util/log.ts";
import type { Bind } from "../util/options.ts";
import { probe } from "../util/probe.ts";
import { sleep } from "../util/time.ts";
import { readCommit, VERSION } from "../util/version.ts";
import { createAdmin } from "./admin.ts";
import { createNodeKeys, type NodeKeys } from "./announce.ts";
import { runController } from "./controller.ts";
import { logEvents } from "./event_log.ts";
import { createEventsApi } from "./events_api.ts";
import type { NodeEvent } from "./events.ts";
import { isReached } from "./facts.ts";
import { guardPort } from "./guard.ts";
import { type NodeHaproxy, openHaproxy } from "./haproxy.ts";
import { builtIn } from "./haproxy_process.ts";
import { createHealthCache } from "./health_cache.ts";
import { createJournal } from "./journal.ts";
import { startIdOf } from "./journal/id.ts";
import { createLag, type Lag } from "./lag.ts";
import { remoteUrl } from "./listen.ts";
import { createMetrics } from "./metrics.ts";
import type { RunOptions } from "./options.ts";
import { networksOf } from "./own_addresses.ts";
import { aborted, type Part, runParts } from "./parts.ts";
import { createRecorder, type NodeRecorder } from "./recorder.ts";
import { serveAdmin } from "./serve_admin.ts";
import { renderSettings, socketAlias } from "./settings.ts";
import { templateSource } from "./template.ts";
import { createTrigger, type Trigger } from "./trigger.ts";

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

/** What a running node is told by signals, or by whoever runs it. */
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

/** How often a pass is made although nothing changed. */
const RESYNC_MS = 30_000;

/**
 * Puts a node together; nothing runs yet but what has to be asked first. Many nodes can run in one process: nothing here
 * touches what a process has only once.
 *
 * @throws {ControllerError} when the node cannot start
 */
export async function openNode(settings: NodeSettings, world: World): Promise<Node> {
  const { render, run } = settings;
  const program = () => findHaproxy(render.haproxy, world.path);
  const haproxyVersion = await versionIfThere(program);
  using opening = new DisposableStack();
  const stateDir = await openStateDir(render.stateDir);
  opening.defer(stateDir.release);

  const trigger = createTrigger(run);
  const lag = createLag();
  const metrics = createMetrics(await readCommit());
  const stopProbing = new AbortController();
  const admission = admissionOf(run, stateDir.dir.runtimeSocket, stopProbing.signal);
  const node = run.nodeId ?? world.hostname;
  const attached = run.attach !== undefined;
  const journal = createJournal<NodeEvent>({
    startId: startIdOf({ at: Date.now(), random: Math.random() }),
    wall: Date.now,
    onEvents: logEvents,
  });
  const recorder = createRecorder({ node, version: VERSION, haproxyVersion }, {
    metrics,
    journal,
    attached,
    lagMs: lag.ageMs,
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

  const client = await etcdFromSettings(settings.etcd);
  const prefixes = prefixesOf(settings.etcd);
  const source = createSource(run.source, {
    client,
    prefixes: [prefixes.services, prefixes.overrides],
    onChange: () => {
      lag.onChange();
      trigger.ring();
    },
    onEvent: recorder.onEtcdEvent,
  });

  const seen = createHealthCache(port);
  const factsNow = async ({ health }: { readonly health: boolean }) => {
    if (!health) return recorder.facts();
    const observed = await seen();
    if (observed !== undefined) recorder.onSeen(observed);
    return { ...recorder.facts(), seen: observed };
  };
  const events = createEventsApi(journal);
  const admin = createAdmin({
    facts: factsNow,
    events: events.respond,
    metricsText: async () => metrics.text(await factsNow({ health: true }), Date.now()),
    now: Date.now,
  });
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
    facts: factsNow,
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
  const release = opening.move();

  return {
    recorder,
    resync: trigger.resync,
    run: async ({ stop, hurry }) => {
      using _lock = release;
      await using served = serveAdmin(settings.adminBind, admin);
      log().info("node started", {
        node,
        version: VERSION,
        haproxy: haproxyVersion,
        admin: served.address ?? "not yet",
        endpoints: settings.etcd.endpoints,
      });
      const parts = [
        keys.part,
        ...haproxy.parts(hurry),
        follower("the mirror", haproxy, source.run),
        follower("announcements", haproxy, keys.run),
        probes(stopProbing),
        controller({ trigger, lag, source, ports, recorder, keys }),
      ];
      // Whoever reads events would keep the admin server open.
      aborted(stop).then(events.close);
      await runParts(parts, leaving({ stop, hurry }, recorder, run.stopDelayMs));
      journal.stop();
      client.close();
      await haproxy.forget();
    },
  };
}

function admissionOf(
  { admission }: RunOptions,
  runtimeSocket: string,
  signal: AbortSignal,
): Admission {
  if (admission === "none") return ADMIT_ALL;
  return createAdmission({
    probe,
    bringUp: async (keys) => {
      const errors = await bringUp(runtimeSocket, keys.map(healthUpLine));
      if (errors.length > 0) {
        log().debug("servers not brought up, left to HAProxy's checks", { keys, errors });
      }
    },
    signal,
  });
}

/** What is still being probed when the node stops following is not brought up any more. */
function probes(stop: AbortController): Part {
  return {
    name: "probes",
    run: async (signal) => {
      await aborted(signal);
      stop.abort();
    },
  };
}

function createSource(mode: RunOptions["source"], options: SourceOptions): Source {
  return mode === "mirror" ? createMirror(options) : createReread(options);
}

/** What an earlier run left is served before etcd is even tried. */
function follower(name: string, haproxy: NodeHaproxy, run: Part["run"]): Part {
  return {
    name,
    run: async (signal) => {
      await haproxy.served(signal);
      await run(signal);
    },
  };
}

/** Aborted when the node stops following: when it was told to stop, and was not ready for a while. */
function leaving({ stop, hurry }: NodeSignals, recorder: NodeRecorder, stopDelayMs: number): AbortSignal {
  const over = new AbortController();
  aborted(stop).then(async () => {
    recorder.onStopping(stopDelayMs);
    await sleep(stopDelayMs, hurry);
    over.abort();
  });
  return over.signal;
}

interface ControllerParts {
  readonly trigger: Trigger;
  readonly lag: Lag;
  readonly source: Source;
  readonly ports: ReconcilePorts;
  readonly recorder: NodeRecorder;
  readonly keys: NodeKeys;
}

function controller({ trigger, lag, source, ports, recorder, keys }: ControllerParts): Part {
  let startedAt = 0;
  return {
    name: "the controller",
    run: (signal) =>
      runController({
        trigger,
        ports,
        signal,
        resyncMs: RESYNC_MS,
        snapshot: async () => {
          startedAt = performance.now();
          const snapshot = await source.snapshot();
          if (snapshot === undefined) return undefined;
          recorder.onPassStart();
          keys.onSnapshot(snapshot);
          return snapshot;
        },
        onPass: (pass) => {
          if (isReached(pass)) lag.onReached(startedAt);
          recorder.onPass(pass);
          keys.onPass(pass);
        },
        onError: recorder.onPassError,
      }),
  };
}
