import { ControllerError, messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import { isThere } from "./config_file.ts";
import { showProcesses } from "./master_cli.ts";
import { type OnLine, openOutput, type Output } from "./output.ts";
import { ask, isTimeout } from "./socket.ts";
import { spawnMaster } from "./spawn.ts";
import type { StateFiles } from "./state/files.ts";

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
  readonly masterSocket: string;
  readonly runtimeSocket: string;
  /** A file that holds the path of the configuration file which the master was started with. */
  readonly startedWith: string;
  /**
   * The file of HAProxy's standard error. A pipe that nobody reads for a while, because the controller is frozen or busy,
   * would fill up and stop HAProxy in the middle of serving.
   */
  readonly output: string;
  readonly files: StateFiles;
  /** Each line that HAProxy writes. */
  readonly onLine: (line: string) => void;
  /** Told why lines cannot be had. */
  readonly onUnheard: (reason: string) => void;
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
  await options.files.replace(options.startedWith, options.configPath);
  const output = hear(options, { create: true });
  output?.begin();
  const child = await spawnMaster(options, output === undefined ? undefined : options.output).catch(
    (error) => {
      output?.close();
      throw error;
    },
  );
  const alerts: string[] = [];
  const unfollow = follow(options, output, (line) => {
    if (line.startsWith("[ALERT]")) alerts.push(line.replace(/^.*?\) ?: /, ""));
    if (alerts.length > KEPT_ALERTS) alerts.shift();
  });
  return {
    pid: child.pid,
    adopted: false,
    ended: child.ended.then(async (how) => {
      // The last lines tell why.
      await unfollow();
      endFamily(child.pid);
      return [`it ended with ${how}`, ...alerts].join("; ");
    }),
    signal: (signal) => signalQuietly(child.pid, signal),
  };
}

/** HAProxy is to serve also where nobody can hear what it says. */
function hear({ output, onUnheard }: MasterOptions, how: { readonly create: boolean }): Output | undefined {
  try {
    return openOutput(output, how);
  } catch (error) {
    onUnheard(messageOf(error));
    return undefined;
  }
}

/** Tells what HAProxy writes until the returned function is called, which resolves after the last line; never rejects. */
function follow(
  { onLine, onUnheard }: MasterOptions,
  output: Output | undefined,
  onNewLine: (line: string) => void = () => {},
): () => Promise<void> {
  const stop = new AbortController();
  const tell: OnLine = (line, { isNew }) => {
    onLine(line);
    if (isNew) onNewLine(line);
  };
  const followed = output?.follow(tell, stop.signal).catch((error) => onUnheard(messageOf(error)));
  return async () => {
    stop.abort();
    await followed;
  };
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
  const pid = await masterBehind(options, wait);
  if (pid === undefined) return undefined;
  const file = await options.files.read(options.startedWith);
  if (file !== undefined && file !== options.configPath) {
    const state = `it was started with ${file}, not ${options.configPath}; stop it, or use its --config`;
    throw new ControllerError("operator", `Cannot adopt HAProxy master ${pid}: ${state}`);
  }
  // A file that is made now is not the one that it writes to.
  const unfollow = follow(options, hear(options, { create: false }));
  return {
    pid,
    adopted: true,
    ended: untilGone(pid, options).finally(unfollow).finally(() => endFamily(pid)),
    signal: (signal) => signalQuietly(pid, signal),
  };
}

/**
 * A master that is executing itself again refuses connections for up to 600 ms, so one refusal proves nothing. One that
 * takes them and stands still may serve by its worker: a second HAProxy beside it would share its ports silently.
 */
async function masterBehind(
  { masterSocket, startedWith }: MasterOptions,
  wait: AdoptionWait,
): Promise<number | undefined> {
  const isFresh = await ageMs(startedWith) < STARTING_MS;
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

/** How long ago a file was written, by the wall clock; infinite for one that is not there or is of the future. */
async function ageMs(path: string): Promise<number> {
  try {
    const age = Date.now() - ((await Deno.stat(path)).mtime?.getTime() ?? -Infinity);
    return age < 0 ? Infinity : age;
  } catch {
    return Infinity;
  }
}

/** An adopted master is no child, so its end has to be looked for. */
async function untilGone(pid: number, options: MasterOptions): Promise<string> {
  let silentSince: number | undefined;
  while (isAlive(pid)) {
    silentSince = await isHeard(pid, options) ? undefined : silentSince ?? performance.now();
    if (silentSince !== undefined && performance.now() - silentSince > GONE_AFTER_MS) break;
    await sleep(POLL_MS);
  }
  return "it ended (it was adopted, so its exit code is unknown)";
}

/**
 * Whether the master answers, or at least its worker does. A zombie that nobody reaps, or another process by now, has the
 * id but not the sockets.
 */
async function isHeard(
  pid: number,
  { masterSocket, runtimeSocket }: Pick<MasterOptions, "masterSocket" | "runtimeSocket">,
): Promise<boolean> {
  try {
    return (await showProcesses(masterSocket)).masterPid === pid;
  } catch {
    return await ask(runtimeSocket, "show version").then(() => true, () => false);
  }
}

/**
 * Ends what a master has left behind in its session. A worker ends with its master, but not one that stands still: it
 * would go on to hold the ports, and share them with the next HAProxy.
 */
function endFamily(masterPid: number): void {
  signalQuietly(-masterPid, "SIGKILL");
}

/** The signal is one that does nothing by default (signal(7)); a process that is not there cannot get it. */
function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGWINCH");
    return true;
  } catch {
    return false;
  }
}

function signalQuietly(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
