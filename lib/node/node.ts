import { dirname } from "node:path";
import { ADMIT_ALL, createAdmission } from "../haproxy/admission.ts";
import { createAdmin } from "./admin.ts";
import { runController } from "./controller.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { createMirror, type Source, type SourceOptions } from "../etcd/mirror.ts";
import { publishNode } from "../ack/publisher.ts";
import { createReread } from "../etcd/reread.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { bringUp } from "../haproxy/change.ts";
import { healthUpLine } from "../haproxy/wire/commands.ts";
import { claimConfigFile } from "../haproxy/boot.ts";
import { removeFile, sweepStaged } from "../haproxy/config_file.ts";
import { openInstance } from "../ack/instance.ts";
import { createLiveness } from "../haproxy/liveness.ts";
import { createHaproxyPort } from "../haproxy/port.ts";
import { type OpenStateDir, openStateDir, type StateDir } from "../haproxy/state/dir.ts";
import type { StateFiles } from "../haproxy/state/files.ts";
import { createStateKeeper } from "../haproxy/state/keeper.ts";
import { createSupervisor } from "../haproxy/supervisor.ts";
import { log } from "../util/log.ts";
import { createMetrics } from "./metrics.ts";
import type { Model } from "../registry/model.ts";
import type { Bind } from "../util/options.ts";
import type { RenderOptions } from "../config/options.ts";
import { probe } from "../util/probe.ts";
import { renderConfig } from "../config/render.ts";
import type { HaproxyPort, HaproxyState } from "../reconcile/ports.ts";
import type { RunOptions } from "./options.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import { isServed } from "./facts.ts";
import { createTrigger } from "./trigger.ts";
import { readCommit, VERSION } from "../util/version.ts";
import { serveAdmin } from "./serve_admin.ts";
import { attach, attachedDir } from "../haproxy/attachment.ts";
import { guardPort } from "./guard.ts";
import { etcdFromSettings, prefixesOf } from "../etcd/open.ts";
import { createLag } from "./lag.ts";
import { remoteUrl } from "./listen.ts";
import { builtIn, masterPorts } from "./haproxy_process.ts";
import { networksOf } from "./own_addresses.ts";
import { createRecorder, type NodeRecorder } from "./recorder.ts";
import { createNodeKeys, type NodeKeys, type NodeKeysOptions } from "./announce.ts";
import { findHaproxy, versionIfThere } from "../haproxy/binary.ts";
import { createResync } from "./resync.ts";
import { renderSettings, socketAlias } from "./settings.ts";
import { createHealthCache } from "./health_cache.ts";
import { listenForSignals, type Signals } from "../cli/signals.ts";
import { templateSource } from "./template.ts";

export interface RunSettings {
  readonly etcd: EtcdSettings;
  readonly render: RenderOptions;
  readonly run: RunOptions;
  readonly adminBind: Bind;
}

/** Puts something around the port to HAProxy: a program of one's own can watch or disturb each step of a pass. */
export type WrapHaproxy = (haproxy: HaproxyPort) => HaproxyPort;

/** How often a pass is made although nothing changed. */
const RESYNC_MS = 30_000;
/** How long a HAProxy that does not come up keeps a node from following. */
const SERVE_FIRST_MS = 3_000;

/**
 * `etcd-haproxy run`: keeps this node's HAProxy at what etcd says, until SIGTERM or SIGINT.
 *
 * @throws {ControllerError} when the node cannot start
 */
export async function run(settings: RunSettings, wrap: WrapHaproxy = (haproxy) => haproxy): Promise<void> {
  const haproxy = () => findHaproxy(settings.render.haproxy);
  const version = await versionIfThere(haproxy);
  const stateDir = await openStateDir(settings.render.stateDir);
  const dir = await attachedDir(stateDir.dir, settings.run.attach);
  const claimed = await claimConfigFile(settings.render.config, { replace: settings.run.replaceConfig });
  if (claimed.keptCopy !== undefined) {
    log().warn("configuration file replaced", { keptCopy: claimed.keptCopy });
  }
  await sweepStaged(dirname(settings.render.config));
  const stopFollowing = new AbortController();
  const node = await assembleNode(settings, {
    haproxy,
    version,
    stateDir,
    dir,
    wrap,
    stop: stopFollowing.signal,
  });
  await using admin = serveAdmin(settings.adminBind, node.admin);
  log().info("node started", {
    node: node.recorder.facts().node,
    version: VERSION,
    haproxy: version,
    admin: admin.address ?? "not yet",
    endpoints: settings.etcd.endpoints,
  });
  await runNode(node, settings, stopFollowing);
  // The next start would wait for a master that is starting, or executing itself again.
  if (settings.run.attach === undefined) {
    await removeFile(stateDir.dir.masterSocket);
    await removeFile(stateDir.dir.startedWith);
  }
  stateDir.release();
}

type Node = Awaited<ReturnType<typeof assembleNode>>;

interface Found {
  readonly haproxy: () => string;
  readonly version: string;
  readonly stateDir: OpenStateDir;
  /** Its places, or those of a node that is attached. */
  readonly dir: StateDir;
  readonly wrap: WrapHaproxy;
  /** Aborted when the node stops following. */
  readonly stop: AbortSignal;
}

/** Constructs the parts and hands them to each other. */
async function assembleNode(settings: RunSettings, found: Found) {
  const { haproxy, version, stateDir, dir, wrap, stop } = found;
  const { files } = stateDir;
  const { render: renderOptions, run: runOptions } = settings;
  const trigger = createTrigger(runOptions);
  const resync = createResync(trigger.ring);
  const lag = createLag();
  const ring = () => {
    lag.onChange();
    trigger.ring();
  };
  const metrics = createMetrics(await readCommit());
  const admission = runOptions.admission === "none" ? ADMIT_ALL : createAdmission({
    probe,
    bringUp: async (keys) => {
      const errors = await bringUp(dir.runtimeSocket, keys.map(healthUpLine));
      if (errors.length > 0) {
        log().debug("servers not brought up, left to HAProxy's checks", { keys, errors });
      }
    },
    signal: stop,
  });
  const recorder = createRecorder(
    { node: runOptions.nodeId ?? Deno.hostname(), version: VERSION, haproxyVersion: version },
    {
      metrics,
      attached: runOptions.attach !== undefined,
      lagMs: lag.ageMs,
      admissionsWaiting: () => admission.probing(),
      now: Date.now,
    },
  );
  const template = templateSource(renderOptions.template);
  const rendering = renderSettings(renderOptions);
  const alias = socketAlias(renderOptions);
  const masters = masterPorts({
    haproxy,
    dir,
    files,
    configPath: renderOptions.config,
    builtIn: () => builtIn(template, rendering),
    recorder,
  });
  const { promise: haproxyTried, resolve: onHaproxyTried } = Promise.withResolvers<void>();
  const onState = (state: HaproxyState) => {
    recorder.onHaproxyState(state);
    if (state.kind !== "starting") onHaproxyTried();
    if (state.kind === "up") trigger.ring();
  };
  const supervisor = runOptions.attach === undefined
    ? createSupervisor({ ...masters, onState })
    : await attach(dir, { ...masters, onState });
  const keeper = createStateKeeper(stateDir, (seen) => {
    const wasLost = recorder.facts().stateDirLost !== undefined;
    recorder.onStateDir(seen);
    // What failed for want of the directory need not wait for its back-off.
    if (wasLost && seen.kind !== "lost") resync.ask();
  });
  let isReloading = false;
  const liveness = createLiveness({
    dir,
    state: supervisor.state,
    isReloading: () => isReloading,
    canBeMade: () => !keeper.isLost(),
    onSockets: (sockets) => {
      recorder.onSockets(sockets);
      resync.ask();
    },
    onLost: () => {
      alias.turn();
      resync.ask();
    },
  });
  const client = await etcdFromSettings(settings.etcd);
  const prefixes = prefixesOf(settings.etcd);
  const source = createSource(runOptions.source, {
    client,
    prefixes: [prefixes.services, prefixes.overrides],
    onChange: ring,
    onEvent: recorder.onEtcdEvent,
  });
  const ports = {
    haproxy: wrap(
      createHaproxyPort({
        haproxy,
        configPath: renderOptions.config,
        dir,
        files,
        keeper,
        state: supervisor.state,
        socketHealth: liveness.sockets,
        onReloading: (now) => isReloading = now,
      }),
    ),
    admission,
    guard: guardPort(runOptions.guard, { dir, files }),
    mode: runOptions.apply,
    prefixes,
    networks: networksOf(renderOptions, settings.adminBind),
    render: async (model: Model) =>
      renderConfig(model, await template(), { ...rendering, runtimeSocket: alias.now() }),
    reloadIntervalMs: runOptions.reloadIntervalMs,
    now: () => performance.now(),
    random: Math.random,
    wait: sleep,
  };
  const seen = createHealthCache(ports.haproxy);
  const factsNow = async ({ health }: { health: boolean }) => {
    return health ? { ...recorder.facts(), seen: await seen() } : recorder.facts();
  };
  const admin = createAdmin({
    facts: factsNow,
    metricsText: async () => metrics.text(await factsNow({ health: true }), Date.now()),
    now: Date.now,
  });
  const keys = await nodeKeys(settings, {
    client,
    dir,
    files,
    recorder,
    haproxy: supervisor.state,
    isSettled: source.isSynced,
    facts: factsNow,
  });
  return {
    ...{ trigger, resync, liveness, keeper, lag, recorder, supervisor, haproxyTried },
    ...{ client, source, ports, admin, keys },
  };
}

async function nodeKeys(settings: RunSettings, parts: {
  client: EtcdClient;
  dir: StateDir;
  files: StateFiles;
  recorder: NodeRecorder;
  haproxy: () => HaproxyState;
  isSettled: () => boolean;
  facts: NodeKeysOptions["facts"];
}): Promise<NodeKeys> {
  const { client, dir, files, recorder, haproxy, isSettled, facts } = parts;
  const instance = await openInstance(dir.instance, files);
  const publisher = publishNode({
    kv: client.kv,
    nodesPrefix: settings.etcd.nodesPrefix,
    node: recorder.facts().node,
    instance,
    ttlSeconds: Math.ceil(settings.run.nodeTtlMs / 1_000),
    onEvent: recorder.onNodeKeys,
  });
  return createNodeKeys({
    publisher,
    instance: instance.current,
    dir,
    files,
    prefixes: prefixesOf(settings.etcd),
    attached: settings.run.attach !== undefined,
    haproxy,
    isSettled,
    facts,
    admin: remoteUrl(settings.adminBind),
  });
}

function createSource(mode: RunOptions["source"], options: SourceOptions): Source {
  return mode === "mirror" ? createMirror(options) : createReread(options);
}

async function runNode(node: Node, { run }: RunSettings, stopFollowing: AbortController): Promise<void> {
  const signals = listenForSignals(node.resync.ask);
  const supervised = node.supervisor.run();
  // What an earlier run left is served before etcd is even tried.
  const serving = resolvesWithin(node.haproxyTried, SERVE_FIRST_MS, stopFollowing.signal);
  const followed = serving.then(() => node.source.run(stopFollowing.signal));
  const published = serving.then(() => node.keys.run(stopFollowing.signal));
  const looked = node.liveness.run(stopFollowing.signal);
  const kept = node.keeper.run(stopFollowing.signal);
  const controlled = controlNode(node, stopFollowing.signal);
  // A refused adoption or a bug ends the node; otherwise these end only when told to.
  await Promise.race([untilStopped(signals, node, run), supervised, looked, kept, controlled, published]);
  stopFollowing.abort();
  await Promise.all([controlled, followed, looked, kept, published]);
  await node.supervisor.stop({ timeoutMs: run.stopTimeoutMs, hurry: signals.hurry });
  await supervised;
  // Until HAProxy has ended it serves what the keys say, and whoever leaves has to wait for it.
  await node.keys.stop();
  node.client.close();
}

async function untilStopped(
  { stop, hurry }: Signals,
  { recorder }: Node,
  { stopDelayMs }: RunOptions,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stop.addEventListener("abort", () => resolve());
  await promise;
  recorder.onStopping();
  log().info("stopping", { stopDelayMs });
  await sleep(stopDelayMs, hurry);
}

function controlNode(
  { trigger, resync, lag, source, ports, recorder, keys }: Node,
  signal: AbortSignal,
): Promise<void> {
  let startedAt = 0;
  return runController({
    trigger,
    ports,
    signal,
    resyncMs: RESYNC_MS,
    resyncAsked: resync.takeAsked,
    snapshot: async () => {
      startedAt = performance.now();
      const snapshot = await source.snapshot();
      if (snapshot === undefined) return undefined;
      recorder.onPassStart();
      keys.onSnapshot(snapshot);
      return snapshot;
    },
    onPass: (report) => {
      if (isServed(report)) lag.onReached(startedAt);
      recorder.onPass(report);
      keys.onPass(report);
    },
    onError: recorder.onPassError,
  });
}
