import { assertEquals } from "@std/assert";
import { observeBackends } from "../../../lib/haproxy/runtime.ts";
import { tempDir } from "../../../tools/local/temp_dir.ts";

const HEAD = "1\n# be_id be_name srv_id srv_name\n";
const row = (backend: string) => `3 ${backend} 1 a 10.0.0.5 2 0 100 100 9 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n`;

/** A worker with backends `b0`, `b1` and so on, that remembers what it was asked. */
async function workerWith(count: number) {
  const dir = await tempDir();
  const path = `${dir.path}/worker.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const asked: string[] = [];
  const names = Array.from({ length: count }, (_, at) => `b${at}`);
  const served = (async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(1_000);
      const read = await connection.read(buffer) ?? 0;
      const line = new TextDecoder().decode(buffer.subarray(0, read)).trim();
      asked.push(line);
      const wanted = line.replace("show servers state", "").trim();
      const rows = names.filter((name) => wanted === "" || name === wanted).map(row);
      await connection.write(new TextEncoder().encode(HEAD + rows.join("")));
      connection.close();
    }
  })();
  return {
    asked,
    names,
    sockets: { runtimeSocket: path, masterSocket: `${dir.path}/master.sock` },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await served;
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("observeBackends() asks for a few backends one by one", async () => {
  await using worker = await workerWith(3);
  const seen = await observeBackends(worker.sockets, ["b1", "b2"]);
  assertEquals([...seen.keys()], ["b1", "b2"]);
  assertEquals(worker.asked, ["show servers state b1", "show servers state b2"]);
});

Deno.test("observeBackends() asks once for many backends, and tells of no other", async () => {
  await using worker = await workerWith(100);
  const some = worker.names.slice(0, 60);
  const seen = await observeBackends(worker.sockets, some);
  assertEquals([[...seen.keys()], seen.get("b7")?.get("a")?.up], [some, true]);
  assertEquals(worker.asked, ["show servers state"]);
});
