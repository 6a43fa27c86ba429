import { runProgram } from "./lib/cli/program.ts";

// The program has stopped by now. A timer or a connection that a library left open must not keep the process alive.
if (import.meta.main) Deno.exit(await runProgram(Deno.args));
