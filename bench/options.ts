import { Command, InvalidArgumentError } from "commander";

/** What can be measured on its own. */
export const PARTS = ["latency", "failures", "scale", "burst", "start"] as const;
export type Part = typeof PARTS[number];

/** What the command line asks for. */
export interface BenchOptions {
  readonly only: readonly Part[];
  /** Few samples: to see whether it runs, not what the numbers are. */
  readonly quick: boolean;
  /** A file that gets all numbers. */
  readonly json?: string;
}

/** Reads the command line; prints help or what is wrong with it and ends the process then. */
export function readOptions(args: readonly string[]): BenchOptions {
  const command = new Command("bench")
    .description("Measures --apply auto beside --apply reload and a bare watch, on this machine.")
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
