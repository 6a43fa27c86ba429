import { assertEquals } from "@std/assert";
import { createLineHeads } from "../../../lib/haproxy/line_heads.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("createLineHeads() gives each line once it has ended, wherever the pieces are cut", () => {
  const text = bytes("één\n\ntwo\nthree\n");
  for (let cut = 0; cut <= text.length; cut++) {
    const heads = createLineHeads();
    const lines = [...heads.push(text.subarray(0, cut)), ...heads.push(text.subarray(cut))];
    assertEquals(lines, ["één", "two", "three"]);
    assertEquals(heads.begun(), 0);
  }
});

Deno.test("createLineHeads() tells how much of a line it holds, and gives it when there is no more", () => {
  const heads = createLineHeads();
  assertEquals(heads.push(bytes("one\ntw")), ["one"]);
  assertEquals([heads.push(bytes("o")), heads.begun()], [[], 3]);
  assertEquals([heads.end(), heads.begun(), heads.end()], [["two"], 0, []]);
});

Deno.test("createLineHeads() keeps the beginning of a line of any length", () => {
  const heads = createLineHeads();
  for (let i = 0; i < 1_000; i++) assertEquals(heads.push(bytes("x".repeat(1_000))), []);
  assertEquals(heads.begun(), 1_000_000);
  assertEquals(heads.push(bytes("end\nnext\n")), ["x".repeat(4_096), "next"]);
});
