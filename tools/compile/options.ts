import { parseArgs } from "node:util";
import { type Architecture, ARCHITECTURES, parseArchitecture } from "./architecture.ts";

/** What to make. */
export interface CompileOptions {
  readonly targets: readonly Architecture[];
  /** The file to write when there is one target only; without it `dist/etcd-haproxy-<architecture>`. */
  readonly output: string | undefined;
  /** The commit to write into the program; undefined: that of the checkout, if there is one. */
  readonly commit: string | undefined;
}

export const USAGE = "deno task compile [--target x86_64|aarch64]... [--output FILE] [--commit HASH]";

/**
 * Reads the command line. Without targets: all of them, or, where a runtime is given, the one that it is for, because deno
 * then takes that runtime whatever target is asked for.
 *
 * @param runtime the architecture of the runtime that `DENORT_BIN` names, if it names one
 * @throws {Error} if the command line is wrong
 */
export function parseCompileOptions(
  args: readonly string[],
  runtime: Architecture | undefined,
): CompileOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: "string", multiple: true },
      output: { type: "string" },
      commit: { type: "string" },
    },
  });
  const named = values.target?.map(readTarget);
  const targets = named ?? (runtime === undefined ? ARCHITECTURES : [runtime]);
  if (values.output !== undefined && targets.length !== 1) {
    throw new Error("Cannot write --output: it takes exactly one --target");
  }
  const other = runtime && targets.find((target) => target !== runtime);
  if (other) throw new Error(`Cannot compile for ${other}: the runtime in DENORT_BIN is for ${runtime}`);
  return { targets, output: values.output, commit: values.commit };
}

function readTarget(name: string): Architecture {
  const target = parseArchitecture(name);
  if (target !== undefined) return target;
  throw new Error(`Cannot compile for ${name}: it is neither ${ARCHITECTURES.join(" nor ")}`);
}
