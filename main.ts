import { runProgram } from "./lib/cli/program.ts";

// The loop, servers and clients are stopped by now; what a library may have left running must not keep the process.
if (import.meta.main) Deno.exit(await runProgram(Deno.args));
