import { ControllerError, messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import { isThere, modifiedAt } from "./config_file.ts";
import { showProcesses } from "./master_cli.ts";
import type { OnLine, Output } from "./output.ts";
import { answers, isTimeout } from "./socket.ts";
import { spawnMaster } from "./spawn.ts";
import type { StateDir } from "./state/dir.ts";
import type { StateFiles } from "./state/files.ts";
import { alertsIn } from "./wire/reply.ts";

/** A running HAProxy master process. */
export interface Master {
  readonly pid: number;
  /** Whether an earlier controller started it. */
  readonly adopted: boolean;
  /** Resolves when the master has ended, with what is known about that; never rejects. */
  readonly ended: Promise<string>;
  /** Does nothing when the master has ended. */
  signal(signal: Deno.Signal): void;
}

/** What a master is started or adopted with. */
export interface MasterOptions {
  readonly configPath: string;
  readonly dir: StateDir;
  readonly files: StateFiles;
  /** What HAProxy writes to standard error. */
  readonly output: Output;
  readonly onLine: OnLine;
  /** Told from when on the lines can be read (undefined), or why they cannot. */
  readonly onHearing: (failure: string | undefined) => void;
}

/** How many of the last alerts are kept to explain an unexpected end. */
const KEPT_ALERTS = 3;
const POLL_MS = 250;
/** A master that executes itself again is silent for less time. */
const GONE_AFTER_MS = 15_000;
const RETRY_MS = 50;
/** How long a master that executes itself again may refuse connections: 600 ms were seen with 10,000 servers. */
const EXECUTING_MS = 1_500;
/** How long a master may take from its start to its socket. A killed controller may have started one just before. */
const STARTING_MS = 3_000;

/**
 * Starts HAProxy in master-worker mode, in its own session: Ctrl-C on a terminal must reach the controller only.
 *
 * @throws {ControllerError} (operator) when the binary cannot be run
 */
export async function startMaster(options: MasterOptions & { readonly haproxy: string }): Promise<Master> {
  const { haproxy, configPath, dir, files, output, onLine } = options;
  await files.replace(dir.startedWith, configPath);
  const alerts: string[] = [];
  const endReading = read(options, true, (line, isNew) => {
    onLine(line, isNew);
    if (isNew) alerts.push(...alertsIn(line));
    if (alerts.length > KEPT_ALERTS) alerts.shift();
  });
  const program = { haproxy, configPath, masterSocket: dir.masterSocket };
  const child = await spawnMaster(program, endReading && output.path).catch(async (error) => {
    await endReading?.();
    throw error;
  });
  return {
    pid: child.pid,
    adopted: false,
    ended: child.ended.then(async (how) => {
      // The last lines say why it ended.
      await endReading?.();
      endFamily(child.pid);
      return [`it ended with ${how}`, ...alerts].join("; ");
    }),
    signal: (signal) => void send(child.pid, signal),
  };
}

/** Reads HAProxy's output until the result is called. Undefined when it cannot be read: HAProxy must run anyway. */
function read(
  { output, onHearing }: MasterOptions,
  create: boolean,
  onLine: OnLine,
): (() => Promise<void>) | undefined {
  const stop = new AbortController();
  const fail = (error: unknown) => onHearing(messageOf(error));
  try {
    onHearing(undefined);
    const followed = output.follow(onLine, { create, signal: stop.signal }).catch(fail);
    return () => {
      stop.abort();
      return followed;
    };
  } catch (error) {
    fail(error);
    return undefined;
  }
}

/** How an adoption waits. It has no time limit while a process accepts connections on the socket and does not answer. */
export interface AdoptionWait {
  readonly signal: AbortSignal;
  /** Called repeatedly while it waits. */
  readonly onWaiting: (reason: string) => void;
}

/**
 * Adopts the master that a killed controller left; undefined when there is none. A second master on the same ports would
 * share them silently.
 *
 * @throws {ControllerError} (operator) when that master was started with another configuration file
 */
export async function adoptMaster(options: MasterOptions, wait: AdoptionWait): Promise<Master | undefined> {
  const pid = await masterBehind(options.dir, wait);
  if (pid === undefined) return undefined;
  const file = await options.files.read(options.dir.startedWith);
  if (file !== undefined && file !== options.configPath) {
    const state = `it was started with ${file}, not ${options.configPath}; stop it, or use its --config`;
    throw new ControllerError("operator", `Cannot adopt HAProxy master ${pid}: ${state}`);
  }
  // HAProxy would not write to a new file.
  const endReading = read(options, false, options.onLine);
  return {
    pid,
    adopted: true,
    ended: untilGone(pid, options.dir).finally(endReading).finally(() => endFamily(pid)),
    signal: (signal) => void send(pid, signal),
  };
}

/**
 * One refused connection proves nothing: a master that executes itself again refuses for up to 600 ms. A master that
 * accepts and does not answer may still have a working worker, so it is waited for.
 */
async function masterBehind(
  { masterSocket, startedWith }: StateDir,
  wait: AdoptionWait,
): Promise<number | undefined> {
  const ageMs = Date.now() - (await modifiedAt(startedWith) ?? -Infinity);
  const isFresh = ageMs >= 0 && ageMs < STARTING_MS;
  if (!isFresh && !await isThere(masterSocket)) return undefined;
  const deadline = performance.now() + (isFresh ? STARTING_MS : EXECUTING_MS);
  while (!wait.signal.aborted) {
    try {
      return (await showProcesses(masterSocket)).masterPid;
    } catch (error) {
      if (isTimeout(error)) wait.onWaiting(messageOf(error));
      else if (performance.now() > deadline) return undefined;
      await sleep(RETRY_MS, wait.signal);
    }
  }
  return undefined;
}

/** An adopted master is no child process, so its end is found by polling. */
async function untilGone(pid: number, dir: StateDir): Promise<string> {
  let silentSince: number | undefined;
  while (isAlive(pid)) {
    silentSince = await isHeard(pid, dir) ? undefined : silentSince ?? performance.now();
    if (silentSince !== undefined && performance.now() - silentSince > GONE_AFTER_MS) break;
    await sleep(POLL_MS);
  }
  return "it ended (it was adopted, so its exit code is unknown)";
}

/**
 * Whether the master or its worker answers. A zombie, or another process that got the same id, does not have the sockets.
 */
function isHeard(pid: number, { masterSocket, runtimeSocket }: StateDir): Promise<boolean> {
  return showProcesses(masterSocket).then(({ masterPid }) => masterPid === pid, () => answers(runtimeSocket));
}

/**
 * Kills what is left in a master's session. A worker ends with its master, but a frozen one does not: it would keep the
 * ports and share them with the next HAProxy.
 */
function endFamily(masterPid: number): void {
  send(-masterPid, "SIGKILL");
}

/** By default the signal does nothing (signal(7)). */
function isAlive(pid: number): boolean {
  return send(pid, "SIGWINCH");
}

/** Sends a signal; tells whether the process exists. */
function send(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
