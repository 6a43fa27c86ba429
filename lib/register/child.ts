import { ControllerError, messageOf } from "../util/errors.ts";
import { resolvesWithin } from "../util/time.ts";
import { endGroup, type Ending, signalGroup, type StopLimits } from "./process_group.ts";

/** A command that runs with the input, output and environment of this process. */
export interface Child {
  /** Its exit code; 128 and the signal's number if a signal ended it. Never rejects. */
  readonly ended: Promise<number>;
  /** Passes a signal on; does nothing once the command has ended. */
  send(signal: Deno.Signal): void;
  /** Asks the command to end. When the time is up, kills it and all that it has started. */
  stop(limits: StopLimits): Promise<Ending>;
  /** Does the same with what the command left running, if anything. A process with a group of its own is left alone. */
  stopRest(limits: StopLimits): Promise<Ending | undefined>;
}

/**
 * Starts a command in a session of its own: Ctrl-C on a terminal must reach this process alone, which drains before it
 * ends the command.
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
    ended,
    send,
    stop: async ({ limitMs, hurry }) => {
      send("SIGTERM");
      if (await resolvesWithin(ended, limitMs, hurry)) return "asked";
      signalGroup(child.pid, "SIGKILL");
      await ended;
      return hurry.aborted ? "hurried" : "late";
    },
    // The group of a session's first process has that process's id.
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
    const state = error instanceof Deno.errors.NotFound ? "no such program" : messageOf(error);
    throw new ControllerError("operator", `Cannot start ${command}: ${state}`, { cause: error });
  }
}
