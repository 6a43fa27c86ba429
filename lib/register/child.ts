import { ControllerError, messageOf } from "../util/errors.ts";
import { resolvesWithin } from "../util/time.ts";
import { endGroup, type Ending, signalGroup, type StopLimits } from "./process_group.ts";

/** A command that runs in the place of this process: with its input, output and environment. */
export interface Child {
  readonly pid: number;
  /** Its exit code; 128 and the signal's number if a signal ended it. Never rejects. */
  readonly ended: Promise<number>;
  /** Passes a signal on; does nothing when it has ended. */
  send(signal: Deno.Signal): void;
  /** Asks it to end, and kills it and what it has started when its time is up. */
  stop(limits: StopLimits): Promise<Ending>;
  /**
   * Does the same with what it has started and left running, if there is any. Whoever has a process group of its own stays:
   * it was not to end with the command.
   */
  stopRest(limits: StopLimits): Promise<Ending | undefined>;
}

/**
 * Starts a command. It gets a session of its own: Ctrl-C on a terminal must reach this process alone, which drains
 * before it passes the end on.
 *
 * @throws {ControllerError} (operator) when it cannot be started
 */
export function startChild(command: string, args: readonly string[]): Child {
  const child = spawn(command, args);
  const ended = child.status.then(({ code }) => code);
  const send = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  return {
    pid: child.pid,
    ended,
    send,
    stop: async ({ limitMs, hurry }) => {
      send("SIGTERM");
      if (await resolvesWithin(ended, limitMs, hurry)) return "asked";
      signalGroup(child.pid, "SIGKILL");
      await ended;
      return hurry.aborted ? "hurried" : "late";
    },
    // Its session began with a process group of its number.
    stopRest: (limits) => endGroup(child.pid, limits),
  };
}

function spawn(command: string, args: readonly string[]): Deno.ChildProcess {
  try {
    return new Deno.Command(command, {
      args: [...args],
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
      detached: true,
    }).spawn();
  } catch (error) {
    const state = error instanceof Deno.errors.NotFound ? "it is not there" : messageOf(error);
    throw new ControllerError("operator", `Cannot start ${command}: ${state}`, { cause: error });
  }
}
