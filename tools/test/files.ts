/** All test files (`*_test.ts`) at or below these paths, without those below `ignored`. @throws when a path is not there */
export async function findTestFiles(paths: readonly string[], ignored: readonly string[]): Promise<string[]> {
  const found = (await Promise.all(paths.map((path) => filesAt(path)))).flat();
  return [...new Set(found)].filter((file) => paths.includes(file) || !isBelow(file, ignored));
}

async function filesAt(path: string): Promise<string[]> {
  const { isDirectory } = await Deno.stat(path);
  if (!isDirectory) return [path];
  const folder = path.replace(/\/+$/, "");
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await filesAt(`${folder}/${name}`));
    else if (name.endsWith("_test.ts")) files.push(`${folder}/${name}`);
  }
  return files;
}

function isBelow(file: string, paths: readonly string[]): boolean {
  return paths.some((path) => file === path || file.startsWith(`${path.replace(/\/+$/, "")}/`));
}
