import { assertEquals } from "@std/assert";
import { stderrLines } from "../../../lib/util/stderr.ts";

Deno.test("stderrLines() tries again when another program has made the pipe one that does not wait", async () => {
  const original = Deno.stderr.write;
  const tries: string[] = [];
  Deno.stderr.write = (chunk) => {
    tries.push(new TextDecoder().decode(chunk));
    if (tries.length === 1) return Promise.reject(new Deno.errors.WouldBlock());
    return Promise.resolve(chunk.length);
  };
  try {
    const stderr = stderrLines(() => {});
    stderr.put("one\n");
    stderr.put("two\n");
    await stderr.flush();
  } finally {
    Deno.stderr.write = original;
  }
  assertEquals(tries, ["one\n", "one\n", "two\n"]);
});
