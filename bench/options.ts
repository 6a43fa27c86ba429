import { Command, InvalidArgumentError } from "commander";

/** The parts that can be measured alone. */
export const PARTS = ["latency", "failures", "scale", "burst", "start"] as const;
export type Part = typeof PARTS[number];

/** What the command line asks for. */
export interface BenchOptions {
  readonly only: readonly Part[];
  /** Few samples: shows that the bench runs, but the numbers mean little. */
  readonly quick: boolean;
  /** A file that gets all numbers. */
  readonly json?: string;
}

/** Reads the command line. Prints help or an error and ends the process if there is one. */
export function readOptions(args: readonly string[]): BenchOptions {
  const command = new Command("bench")
    .description("Compares --apply auto with --apply reload and a bare watch, on this machine.")
    .option("--only <parts>", `parts to run, of ${PARTS.join()}`, readParts, PARTS)
    .option("--quick", "few samples, about a minute", false)
    .option("--json <file>", "write all numbers to a file")
    .allowExcessArguments(false);
  return command.parse([...args], { from: "user" }).opts<BenchOptions>();
}

function readParts(text: string): readonly Part[] {
  return text.split(",").map((name) => {
    const part = PARTS.find((part) => part === name);
    if (part === undefined) throw new InvalidArgumentError(`"${name}" is none of ${PARTS.join()}.`);
    return part;
  });
}
