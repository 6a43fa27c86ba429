import { join, resolve } from "node:path";

/** Where `tools/compile.ts` writes the commit for a program that has no `.git` beside it, in the project's directory. */
export const COMMIT_FILE = "dist/commit";

/** Reads a file; undefined when it cannot be read. */
export type ReadText = (path: string) => Promise<string | undefined>;

/** As many digits as git shows. */
const DIGITS = 7;

/**
 * The short hash of a project's commit: from its git checkout, read without git (gitrepository-layout(5)), else from
 * `COMMIT_FILE`; undefined if there is neither.
 */
export async function findCommit(project: string, read: ReadText): Promise<string | undefined> {
  return shortHash(await checkedOut(project, read)) ?? shortHash(await read(join(project, COMMIT_FILE)));
}

/** The first digits of a hash; undefined for any other text. */
export function shortHash(text: string | undefined): string | undefined {
  const hash = text?.trim() ?? "";
  return /^[0-9a-f]{7,64}$/.test(hash) ? hash.slice(0, DIGITS) : undefined;
}

async function checkedOut(project: string, read: ReadText): Promise<string | undefined> {
  const dotGit = join(project, ".git");
  // In a worktree it is a file that names the directory.
  const named = /^gitdir: (.+)$/m.exec(await read(dotGit) ?? "")?.[1];
  const git = named === undefined ? dotGit : resolve(project, named);
  const head = await read(join(git, "HEAD"));
  const ref = /^ref: (refs\/.+)$/m.exec(head ?? "")?.[1];
  if (ref === undefined) return head;
  // A worktree has its branches in the directory of its checkout.
  const common = resolve(git, (await read(join(git, "commondir")))?.trim() ?? ".");
  return await read(join(common, ref)) ?? packedHash(await read(join(common, "packed-refs")), ref);
}

/** A line of packed-refs is a hash and the name of its ref. */
function packedHash(packed: string | undefined, ref: string): string | undefined {
  return packed?.split("\n").find((line) => line.endsWith(` ${ref}`))?.split(" ")[0];
}
