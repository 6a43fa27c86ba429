// Unix sockets below a temporary directory must keep their paths short; a long TMPDIR would break them.
const LONGEST_BASE = 40;

/** A directory that is removed, with all in it, when it is disposed. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes a temporary directory with a short path. */
export async function tempDir(): Promise<TempDir> {
  const path = await makeShortTempDir("eh-");
  return { path, [Symbol.asyncDispose]: () => removeDir(path) };
}

/** Makes a directory under TMPDIR, or under /tmp when that path is too long for sockets inside. */
export async function makeShortTempDir(prefix: string): Promise<string> {
  const path = await Deno.makeTempDir({ prefix });
  if (path.length <= LONGEST_BASE) return path;
  await Deno.remove(path);
  return await Deno.makeTempDir({ dir: "/tmp", prefix });
}

/** Removes a directory with its content. It is no error if it is gone already. */
export async function removeDir(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
