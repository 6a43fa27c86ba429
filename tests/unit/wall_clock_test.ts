import { assertEquals } from "@std/assert";

/** Files that read the wall clock, and why they may: none of them measures with it how long something takes. */
const MAY_READ: Readonly<Record<string, string>> = {
  "node/guard.ts": "what was missing is kept over a restart, which no monotonic clock outlives",
  "node/announce.ts": "the time of a status that others read",
  "node/node.ts": "the id of a start, and times that are shown",
  "cli/status.ts": "ages that are shown, of times that other nodes wrote",
  "cli/watch_nodes.ts": "ages that are shown, of times that other nodes wrote",
  "etcd/calls.ts": "grpc takes its deadline as a date, and makes a timer of it at once",
  "etcd/endpoint.ts": "grpc takes its deadline as a date, and makes a timer of it at once",
  "etcd/read.ts": "grpc takes its deadline as a date, and makes a timer of it at once",
  "haproxy/master.ts": "the age of a file; one of the future counts as old",
  "haproxy/port.ts": "the time of a file",
};

const LIB = new URL("../../lib/", import.meta.url);

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const url = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) yield* sources(url);
    else if (name.endsWith(".ts")) yield url;
  }
}

Deno.test("the wall clock is read only where times are shown or kept", async () => {
  const found: string[] = [];
  for await (const url of sources(LIB)) {
    if (/Date\.now|new Date\(\)/.test(await Deno.readTextFile(url))) {
      found.push(url.href.slice(LIB.href.length));
    }
  }
  assertEquals(found.sort(), Object.keys(MAY_READ).sort());
});
