/**
 * Makes the programs dist/etcd-haproxy-x86_64 and dist/etcd-haproxy-aarch64.
 *
 * Exit codes: 0 all made, 1 one could not be made (the others are), 2 wrong usage.
 */
import { dirname, resolve } from "node:path";
import type { Architecture } from "./compile/architecture.ts";
import { deno, fillNpmCache } from "./compile/deno.ts";
import { excludedPaths } from "./compile/excluded.ts";
import { explainFailure } from "./compile/explain.ts";
import { COMMIT_FILE, shortHash } from "../lib/util/commit.ts";
import { readCommit } from "../lib/util/version.ts";
import { type CompileOptions, parseCompileOptions, USAGE } from "./compile/options.ts";
import { runtimeArchitecture } from "./compile/runtime.ts";

const PROJECT = new URL("../", import.meta.url).pathname;
const DIST = `${PROJECT}dist/`;
const ENTRY = "main.ts";

/** Fixed in the program: no ffi. A narrower list of files would not help, because the program may run other programs. */
const PERMISSIONS = ["net", "read", "write", "run", "env", "sys"].map((name) => `--allow-${name}`);

async function main(args: readonly string[]): Promise<number> {
  let options: CompileOptions;
  try {
    options = parseCompileOptions(args, await givenRuntime());
  } catch (error) {
    console.error(`${messageOf(error)} (${USAGE})`);
    return 2;
  }
  try {
    const excluded = await excludedPaths(await fillNpmCache(ENTRY));
    await writeCommit(options);
    return await compileAll(options, excluded);
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  }
}

/** The architecture of the runtime in `DENORT_BIN`, if there is one. */
async function givenRuntime(): Promise<Architecture | undefined> {
  const path = Deno.env.get("DENORT_BIN");
  return path ? runtimeArchitecture(await Deno.readFile(path), Deno.version.deno) : undefined;
}

/** Writes the file from which the programs know their commit. It is not removed: another compilation may be reading it. */
async function writeCommit({ commit }: CompileOptions): Promise<void> {
  await Deno.mkdir(DIST, { recursive: true });
  const staged = await Deno.makeTempFile({ dir: DIST, prefix: ".commit-" });
  await Deno.writeTextFile(staged, `${shortHash(commit) ?? await readCommit()}\n`);
  await Deno.rename(staged, `${PROJECT}${COMMIT_FILE}`);
}

async function compileAll(options: CompileOptions, excluded: readonly string[]): Promise<number> {
  let code = 0;
  for (const target of options.targets) {
    const output = resolve(options.output ?? `${DIST}etcd-haproxy-${target}`);
    const failure = await compile({ target, output, excluded });
    console.error(failure === undefined ? `Made ${output}` : `Cannot compile for ${target}: ${failure}`);
    if (failure !== undefined) code = 1;
  }
  return code;
}

interface Compilation {
  readonly target: Architecture;
  readonly output: string;
  readonly excluded: readonly string[];
}

/** Compiles beside the output and renames, so that a failure leaves nothing behind. Returns the reason of a failure. */
async function compile({ target, output, excluded }: Compilation): Promise<string | undefined> {
  await Deno.mkdir(dirname(output), { recursive: true });
  const staging = await Deno.makeTempDir({ dir: dirname(output), prefix: ".compile-" });
  try {
    const staged = `${staging}/etcd-haproxy`;
    const failure = await runCompiler({ target, output: staged, excluded });
    if (failure === undefined) await Deno.rename(staged, output);
    return failure;
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

async function runCompiler({ target, output, excluded }: Compilation): Promise<string | undefined> {
  const { success, code, stderr } = await deno([
    ...["compile", "--quiet", "--no-check", "--frozen", "--no-prompt", ...PERMISSIONS],
    ...[
      "--include",
      "templates/",
      "--include",
      COMMIT_FILE,
      ...excluded.flatMap((path) => ["--exclude", path]),
    ],
    ...["--target", `${target}-unknown-linux-gnu`, "--output", output, ENTRY],
  ]);
  if (success) return undefined;
  const known = explainFailure(stderr);
  if (known === undefined) console.error(stderr);
  return known ?? `deno compile ended with ${code}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
