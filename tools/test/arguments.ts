/** What a run of tests was asked for. */
export interface TestArguments {
  /** Files and folders with tests. */
  readonly paths: readonly string[];
  /** All other arguments, for `deno test`. */
  readonly flags: readonly string[];
}

/** Flags of `deno test` whose value may be an argument of its own. Values of others need `=`. */
const WITH_VALUE: ReadonlySet<string> = new Set(["--filter", "--retry", "--repeats", "--seed"]);

/** Separates files and folders from flags and their values. Without any path it returns the default ones. */
export function splitArguments(args: readonly string[], defaultPaths: readonly string[]): TestArguments {
  const isFlag = args.map((arg, at) => arg.startsWith("-") || WITH_VALUE.has(args[at - 1] ?? ""));
  const paths = args.filter((_, at) => !isFlag[at]);
  const flags = args.filter((_, at) => isFlag[at]);
  return { paths: paths.length > 0 ? paths : defaultPaths, flags };
}
