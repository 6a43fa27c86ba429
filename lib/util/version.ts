import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import { findCommit } from "./commit.ts";

/** The version of this program. */
export const VERSION: string = project.version;

/** The project's directory; in a compiled program that of its embedded files. */
const PROJECT = new URL("../../", import.meta.url);

/** The short hash of the commit that this program was made from; "unknown" if it cannot be found. Never rejects. */
export async function readCommit(): Promise<string> {
  return await findCommit(fileURLToPath(PROJECT), readIfThere) ?? "unknown";
}

/** A file that cannot be read counts as missing: only the shown commit depends on it. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined;
  }
}
