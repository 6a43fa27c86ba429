/**
 * Directories of npm packages that must not be embedded. deno reads every file of a package that has no extension as a
 * module, and the test data of `bintrees` (which prom-client brings along) is then one expression of 100,000 terms: the
 * compiler overflows its stack.
 */
const EXCLUDED: readonly { readonly name: string; readonly directory: string }[] = [
  { name: "bintrees", directory: "test" },
];

/** Where these directories are in deno's npm cache: `<cache>/<registry>/<package>/<version>/<directory>`. */
export async function excludedPaths(npmCache: string): Promise<string[]> {
  const paths: string[] = [];
  for (const registry of await directoriesIn(npmCache)) {
    for (const { name, directory } of EXCLUDED) {
      for (const version of await directoriesIn(`${registry}/${name}`)) paths.push(`${version}/${directory}`);
    }
  }
  return paths;
}

async function directoriesIn(path: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.filter((entry) => entry.isDirectory).map((entry) => `${path}/${entry.name}`).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
