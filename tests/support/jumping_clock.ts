// The controller under a wall clock that jumps: SIGUSR1 sets it an hour forwards, SIGUSR2 two hours backwards. It takes
// the same command line as main.ts.
import { runProgram } from "../../lib/cli/program.ts";

const HOUR_MS = 3_600_000;
const RealDate = Date;
let offsetMs = 0;

class JumpingDate extends RealDate {
  constructor(...args: [] | [value: number | string | Date]) {
    super(args[0] ?? RealDate.now() + offsetMs);
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}

Object.defineProperty(globalThis, "Date", { value: JumpingDate, configurable: true, writable: true });

function jumpBy(ms: number): void {
  offsetMs += ms;
  console.error(`the clock jumps by ${ms} ms`);
}

Deno.addSignalListener("SIGUSR1", () => jumpBy(HOUR_MS));
Deno.addSignalListener("SIGUSR2", () => jumpBy(-2 * HOUR_MS));

Deno.exit(await runProgram(Deno.args));
