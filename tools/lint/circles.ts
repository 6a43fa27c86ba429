/** Which modules each module imports, by their names. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** The circles of a graph, each as the way that leads back to its first module; every circle is found at least once. */
export function circlesOf(graph: ImportGraph): string[][] {
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (module: string, way: readonly string[]): void => {
    const at = way.indexOf(module);
    if (at >= 0) return void circles.push([...way.slice(at), module]);
    if (done.has(module)) return;
    for (const next of graph.get(module) ?? []) visit(next, [...way, module]);
    done.add(module);
  };
  for (const module of graph.keys()) visit(module, []);
  return circles;
}
