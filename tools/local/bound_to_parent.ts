import { findProgram } from "./programs.ts";

/** A command line, and the signal that its process gets when the process that started it has ended. */
export interface BoundCommand {
  command: string;
  args: readonly string[];
  signalIfOrphaned?: "SIGTERM" | "SIGKILL";
}

let setpriv: string | undefined | "not looked for" = "not looked for";

/** The command line with which the kernel sends that signal; the same one where there is no such thing. */
export function boundToParent({ command, args, signalIfOrphaned }: BoundCommand): BoundCommand {
  if (signalIfOrphaned === undefined) return { command, args };
  if (setpriv === "not looked for") setpriv = findSetpriv();
  if (setpriv === undefined) return { command, args };
  return { command: setpriv, args: ["--pdeathsig", signalIfOrphaned.slice("SIG".length), command, ...args] };
}

/** BusyBox has a `setpriv` that does less. */
function findSetpriv(): string | undefined {
  const program = findProgram("setpriv");
  if (program === undefined) return undefined;
  const trial = new Deno.Command(program, {
    args: ["--pdeathsig", "TERM", "true"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  return trial.outputSync().success ? program : undefined;
}
