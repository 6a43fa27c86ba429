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
  /** Whether it was found running, not started by this process. */
  readonly adopted: boolean;
  /** Resolves with what is known of the end, when the master has ended; never rejects. */
  readonly ended: Promise<string>;
  /** Does nothing when the master has ended. */
  signal(signal: Deno.Signal): void;
}

/** What is known of a master, be it found or started. */
export interface MasterOptions {
  readonly configPath: string;
  readonly dir: StateDir;
  readonly files: StateFiles;
  /** What HAProxy writes to standard error. */
  readonly output: Output;
  readonly onLine: OnLine;
  /** Told whether lines can be had from now on, and why they cannot. */
  readonly onHearing: (failure: string | undefined) => void;
}

/** How many of the last lines are kept to explain an unasked end. */
const KEPT_ALERTS = 3;
const POLL_MS = 250;
/** A master that executes itself again is silent for less. */
const GONE_AFTER_MS = 15_000;
const RETRY_MS = 50;
/** How long a master that executes itself again may refuse connections: 600 ms were seen with 10,000 servers. */
const EXECUTING_MS = 1_500;

/** One that a controller started right before it was killed makes its socket so soon after. */
const STARTING_MS = 3_000;

/**
 * Starts HAProxy in master-worker mode, in a session of its own: Ctrl-C on a terminal must reach the controller alone.
 *
 * @throws {ControllerError} (operator) when the binary cannot be run
 */
export async function startMaster(options: MasterOptions & { readonly haproxy: string }): Promise<Master> {
  const { haproxy, configPath, dir, files, output, onLine } = options;
  await files.replace(dir.startedWith, configPath);
  const alerts: string[] = [];
  const reading = read(options, true, (line, isNew) => {
    onLine(line, isNew);
    if (isNew) alerts.push(...alertsIn(line));
    if (alerts.length > KEPT_ALERTS) alerts.shift();
  });
  const program = { haproxy, configPath, masterSocket: dir.masterSocket };
  const child = await spawnMaster(program, reading && output.path).catch(async (error) => {
    await reading?.end();
    throw error;
  });
  return {
    pid: child.pid,
    adopted: false,
    ended: child.ended.then(async (how) => {
      // The last lines tell why.
      await reading?.end();
      endFamily(child.pid);
      return [`it ended with ${how}`, ...alerts].join("; ");
    }),
    signal: (signal) => void send(child.pid, signal),
  };
}

/** Tells what HAProxy writes until its end; undefined where that cannot be had, because HAProxy is to serve all the same. */
function read(
  { output, onHearing }: MasterOptions,
  create: boolean,
  onLine: OnLine,
): { end(): Promise<void> } | undefined {
  const stop = new AbortController();
  const fail = (error: unknown) => onHearing(messageOf(error));
  try {
    onHearing(undefined);
    const followed = output.follow(onLine, { create, signal: stop.signal }).catch(fail);
    return {
      end: () => {
        stop.abort();
        return followed;
      },
    };
  } catch (error) {
    fail(error);
    return undefined;
  }
}

/** How long an adoption may take: for ever, while somebody stands behind the socket and does not answer. */
export interface AdoptionWait {
  readonly signal: AbortSignal;
  /** Told again and again while it waits. */
  readonly onWaiting: (reason: string) => void;
}

/**
 * Takes over the master behind a master socket, left by a controller that was killed; undefined when none answers. Two
 * masters on one port would share it silently.
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
  // A file that is made now is not the one that it writes to.
  const reading = read(options, false, options.onLine);
  return {
    pid,
    adopted: true,
    ended: untilGone(pid, options.dir).finally(reading?.end).finally(() => endFamily(pid)),
    signal: (signal) => void send(pid, signal),
  };
}

/**
 * A master that is executing itself again refuses connections for up to 600 ms, so one refusal proves nothing. One that
 * takes them and stands still may serve by its worker: a second HAProxy beside it would share its ports silently.
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

/** An adopted master is no child, so its end has to be looked for. */
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
 * Whether the master answers, or at least its worker does. A zombie that nobody reaps, or another process by now, has the
 * id but not the sockets.
 */
async function isHeard(pid: number, { masterSocket, runtimeSocket }: StateDir): Promise<boolean> {
  try {
    return (await showProcesses(masterSocket)).masterPid === pid;
  } catch {
    return await answers(runtimeSocket);
  }
}

/**
 * Ends what a master has left behind in its session. A worker ends with its master, but not one that stands still: it
 * would go on to hold the ports, and share them with the next HAProxy.
 */
function endFamily(masterPid: number): void {
  send(-masterPid, "SIGKILL");
}

/** The signal is one that does nothing by default (signal(7)). */
function isAlive(pid: number): boolean {
  return send(pid, "SIGWINCH");
}

/** Tells whether there is such a process. */
function send(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
