import { dirname } from "node:path";
import { ADMIT_ALL, createAdmission } from "../admission.ts";
import { createAdmin } from "../admin/server.ts";
import { joinConfig } from "../config_text.ts";
import { runController } from "../controller.ts";
import { ControllerError, messageOf } from "../errors.ts";
import { createMirror, type Source, type SourceOptions } from "../etcd/mirror.ts";
import { createReread } from "../etcd/reread.ts";
import { bringUp } from "../haproxy/change.ts";
import { healthUpLine } from "../haproxy/commands.ts";
import { claimConfigFile, prepareBoot } from "../haproxy/boot.ts";
import { removeFile, sweepStaged } from "../haproxy/config_file.ts";
import { haproxyVersion } from "../haproxy/check.ts";
import { adoptMaster, type Master, startMaster } from "../haproxy/master.ts";
import { createHaproxyPort } from "../haproxy/port.ts";
import { untilReady } from "../haproxy/ready.ts";
import { openStateDir, type StateDir } from "../haproxy/state_dir.ts";
import { createSupervisor } from "../haproxy/supervisor.ts";
import { log } from "../log.ts";
import { createMetrics } from "../metrics.ts";
import { EMPTY_MODEL } from "../model.ts";
import type { Observed } from "../observed.ts";
import type { Bind, EtcdSettings, RenderOptions, RunOptions } from "../options.ts";
import { probe } from "../probe/probe.ts";
import { renderConfig } from "../render.ts";
import type { HaproxyPort, HaproxyState } from "../ports.ts";
import { sleep } from "../sleep.ts";
import { isServed } from "../status.ts";
import { createTrigger } from "../trigger.ts";
import { VERSION } from "../version.ts";
import { attach, attachedDir } from "./attach.ts";
import { etcdFromSettings, prefixesOf } from "./etcd.ts";
import { hasIpv6, listenHost } from "./listen.ts";
import { createRecorder, type NodeRecorder } from "./node.ts";
import { findHaproxy } from "./programs.ts";
import { renderSettings } from "./settings.ts";
import { listenForSignals, type Signals } from "./signals.ts";
import { templateSource } from "./template.ts";

export interface RunSettings {
  readonly etcd: EtcdSettings;
  readonly render: RenderOptions;
  readonly run: RunOptions;
  readonly adminBind: Bind;
}

/** Puts something around the port to HAProxy: a program of one's own can watch or disturb each step of a pass. */
export type WrapHaproxy = (haproxy: HaproxyPort) => HaproxyPort;

/** For how long an answer about health is good enough. */
const SIGHT_MS = 1_000;
/** How often a pass is made although nothing changed. */
const RESYNC_MS = 30_000;

/**
 * `etcd-haproxy run`: keeps this node's HAProxy at what etcd says, until SIGTERM or SIGINT.
 *
 * @throws {ControllerError} when the node cannot start
 */
export async function run(settings: RunSettings, wrap: WrapHaproxy = (haproxy) => haproxy): Promise<void> {
  const haproxy = findHaproxy(settings.render.haproxy);
  const version = await haproxyVersion(haproxy);
  const { dir: ownDir, release } = await openStateDir(settings.render.stateDir);
  const dir = await attachedDir(ownDir, settings.run.attach);
  const claimed = await claimConfigFile(settings.render.config, { replace: settings.run.replaceConfig });
  if (claimed.keptCopy !== undefined) {
    log().warn("configuration file replaced", { keptCopy: claimed.keptCopy });
  }
  await sweepStaged(dirname(settings.render.config));
  const stopFollowing = new AbortController();
  const node = await assembleNode(settings, { haproxy, version, dir, wrap, stop: stopFollowing.signal });
  await using admin = serveAdmin(settings.adminBind, node.admin);
  log().info("node started", {
    node: node.recorder.facts().node,
    version: VERSION,
    haproxy: version,
    admin: `${admin.addr.hostname}:${admin.addr.port}`,
    endpoints: settings.etcd.endpoints,
  });
  await runNode(node, settings, stopFollowing);
  // The next start would wait for a master that is executing itself again.
  if (settings.run.attach === undefined) await removeFile(ownDir.masterSocket);
  release();
}

type Node = Awaited<ReturnType<typeof assembleNode>>;

interface Found {
  readonly haproxy: string;
  readonly version: string;
  readonly dir: StateDir;
  readonly wrap: WrapHaproxy;
  /** Aborted when the node stops following. */
  readonly stop: AbortSignal;
}

/** Constructs the parts and hands them to each other. */
async function assembleNode(settings: RunSettings, found: Found) {
  const { haproxy, version, dir, wrap, stop } = found;
  const { render: renderOptions, run: runOptions } = settings;
  const trigger = createTrigger(runOptions);
  const lag = createLag();
  const ring = () => {
    lag.onChange();
    trigger.ring();
  };
  const metrics = createMetrics();
  const admission = runOptions.admission === "none" ? ADMIT_ALL : createAdmission({
    probe,
    bringUp: (keys) => bringUp(dir.runtimeSocket, keys.map(healthUpLine)),
    signal: stop,
  });
  const recorder = createRecorder(
    { node: runOptions.nodeId ?? Deno.hostname(), version: VERSION, haproxyVersion: version },
    {
      metrics,
      attached: runOptions.attach !== undefined,
      lagMs: lag.ageMs,
      admissionsWaiting: () => admission.waiting(),
      now: Date.now,
    },
  );
  const template = templateSource(renderOptions.template);
  const rendering = renderSettings(renderOptions);
  const masters = masterPorts({
    haproxy,
    dir,
    configPath: renderOptions.config,
    builtIn: () => builtIn(template, rendering),
    recorder,
  });
  const onState = (state: HaproxyState) => {
    recorder.onHaproxyState(state);
    if (state.kind === "up") trigger.ring();
  };
  const supervisor = runOptions.attach === undefined
    ? createSupervisor({ ...masters, onState })
    : await attach(dir, { ...masters, onState });
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
      createHaproxyPort({ haproxy, configPath: renderOptions.config, dir, state: supervisor.state }),
    ),
    admission,
    mode: runOptions.apply,
    prefixes,
    render: async (model: typeof EMPTY_MODEL) => renderConfig(model, await template(), rendering),
    reloadIntervalMs: runOptions.reloadIntervalMs,
    now: () => performance.now(),
    random: Math.random,
    wait: sleep,
  };
  const seen = createSight(ports.haproxy);
  const factsNow = async ({ health }: { health: boolean }) => {
    return health ? { ...recorder.facts(), seen: await seen() } : recorder.facts();
  };
  const admin = createAdmin({
    facts: factsNow,
    metricsText: async () => metrics.text(await factsNow({ health: true }), Date.now()),
    now: Date.now,
  });
  return { trigger, lag, recorder, supervisor, client, source, ports, admin };
}

/** Health changes between passes: whoever asks for the state gets it as it is, HAProxy being asked once a second at most. */
function createSight(haproxy: HaproxyPort): () => Promise<Observed> {
  let last: { at: number; observed: Promise<Observed> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at > SIGHT_MS) {
      last = { at: performance.now(), observed: haproxy.observe() };
    }
    return last.observed;
  };
}

function createSource(mode: RunOptions["source"], options: SourceOptions): Source {
  return mode === "mirror" ? createMirror(options) : createReread(options);
}

/** How long the oldest change has been known that no pass has brought to HAProxy yet. */
function createLag() {
  let since: number | undefined;
  let latest: number | undefined;
  return {
    onChange: () => {
      latest = performance.now();
      since ??= latest;
    },
    /** A pass that started at `startedAt` reached what it wanted; later changes remain. */
    onReached: (startedAt: number) => since = latest !== undefined && latest > startedAt ? latest : undefined,
    ageMs: () => since === undefined ? 0 : performance.now() - since,
  };
}

/** The empty configuration; a template that fails must not keep HAProxy from starting. */
async function builtIn(
  template: ReturnType<typeof templateSource>,
  rendering: ReturnType<typeof renderSettings>,
) {
  try {
    return joinConfig(renderConfig(EMPTY_MODEL, await template(), rendering));
  } catch (error) {
    log().error("template failed, starting with the embedded one", { reason: messageOf(error) });
    return joinConfig(renderConfig(EMPTY_MODEL, await templateSource(undefined)(), rendering));
  }
}

function masterPorts({ haproxy, dir, configPath, builtIn, recorder }: {
  haproxy: string;
  dir: StateDir;
  configPath: string;
  builtIn: () => Promise<string>;
  recorder: NodeRecorder;
}) {
  const options = {
    haproxy,
    configPath,
    masterSocket: dir.masterSocket,
    startedWith: dir.startedWith,
    onLine: logHaproxyLine,
  };
  const noteInherited = async () => {
    const verifiedAt = await modifiedAt(dir.lastGood);
    if (verifiedAt !== undefined) recorder.onInherited(verifiedAt);
  };
  const prepare = async () => {
    const boot = await prepareBoot({ ...dirPaths(dir), haproxy, configPath, builtIn: await builtIn() });
    boot.passedOver.forEach((reason) => log().error("configuration not valid, passed over", { reason }));
    return boot.origin;
  };
  return {
    prepare,
    noteInherited,
    adopt: async () => {
      const master = await adoptMaster(options);
      if (master !== undefined) await noteInherited();
      return master;
    },
    start: async () => {
      const origin = await prepare();
      if (origin !== "built-in") await noteInherited();
      log().info("starting haproxy", { config: configPath, origin });
      return startMaster(options);
    },
    untilReady: (master: Master) => untilReady(dir, master),
  };
}

function dirPaths({ lastGood, stateFile }: StateDir) {
  return { lastGoodPath: lastGood, stateFile };
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).mtime?.getTime();
  } catch {
    return undefined;
  }
}

/** What HAProxy says at every reload: a retired worker ends, and the server-state file is there only when it is needed. */
const ORDINARY_WARNING = new RegExp(
  [
    "Proxy \\S+ stopped",
    "Former worker .* exited with code 0",
    "Can't open global server state file",
    // What it says of each change that it was told.
    "\\(leaving forced maintenance\\)|for maintenance|forced maintenance",
    "enters drain state|leaving forced drain|changed from (CLI|server-state)",
  ].join("|"),
);

/** HAProxy writes its own severity in front of each line. */
function logHaproxyLine(line: string): void {
  const fields = { line };
  if (ORDINARY_WARNING.test(line)) return log().debug("haproxy", fields);
  if (line.startsWith("[ALERT]")) return log().error("haproxy", fields);
  if (line.startsWith("[WARNING]")) return log().warn("haproxy", fields);
  log().debug("haproxy", fields);
}

function serveAdmin(bind: Bind, handler: (request: Request) => Response | Promise<Response>) {
  try {
    return Deno.serve(
      { hostname: listenHost(bind, hasIpv6()), port: bind.port, onListen: () => {} },
      handler,
    );
  } catch (error) {
    const state = error instanceof Deno.errors.AddrInUse ? "the address is in use" : messageOf(error);
    throw new ControllerError(
      "operator",
      `Cannot listen on --admin-bind ${bind.host}:${bind.port}: ${state}`,
      { cause: error },
    );
  }
}

async function runNode(node: Node, { run }: RunSettings, stopFollowing: AbortController): Promise<void> {
  const hangup = createHangup(node.trigger.ring);
  const signals = listenForSignals(hangup.onSignal);
  const supervised = node.supervisor.run();
  const followed = node.source.run(stopFollowing.signal);
  const controlled = controlNode(node, { signal: stopFollowing.signal, resyncAsked: hangup.takeAsked });
  // A refused adoption or a bug ends the node; otherwise these end only when told to.
  await Promise.race([untilStopped(signals, node, run), supervised, controlled]);
  stopFollowing.abort();
  await Promise.all([controlled, followed]);
  await node.supervisor.stop({ timeoutMs: run.stopTimeoutMs, hurry: signals.hurry });
  await supervised;
  node.client.close();
}

/** SIGHUP: look at template and HAProxy now. */
function createHangup(ring: () => void) {
  let asked = false;
  return {
    onSignal: () => {
      asked = true;
      ring();
    },
    takeAsked: () => {
      const was = asked;
      asked = false;
      return was;
    },
  };
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
  { trigger, lag, source, ports, recorder }: Node,
  { signal, resyncAsked }: { signal: AbortSignal; resyncAsked: () => boolean },
): Promise<void> {
  let startedAt = 0;
  return runController({
    trigger,
    ports,
    signal,
    resyncMs: RESYNC_MS,
    resyncAsked,
    snapshot: () => {
      startedAt = performance.now();
      return source.snapshot();
    },
    onPass: (report) => {
      if (isServed(report)) lag.onReached(startedAt);
      recorder.onPass(report);
    },
    onError: recorder.onPassError,
  });
}
