import { assertEquals } from "@std/assert";
import { streamFailure } from "../../../lib/etcd/refusal.ts";

for (
  const [text, told] of [
    [
      "14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 10.0.0.5:2379 (2026-01-01T00:00:00.000Z)",
      "etcd cannot be reached: connect ECONNREFUSED 10.0.0.5:2379",
    ],
    ["14 UNAVAILABLE: Connection dropped", "etcd cannot be reached: Connection dropped"],
    ["13 INTERNAL: Received RST_STREAM with code 2", "Received RST_STREAM with code 2"],
    ["the member closed the stream", "the member closed the stream"],
  ] as const
) {
  Deno.test(`streamFailure() tells in words, the same each time: ${told}`, () => {
    assertEquals(streamFailure(new Error(text)), told);
  });
}
