import { assertEquals } from "@std/assert";
import { withSync } from "../../../lib/etcd/mirror.ts";

Deno.test("withSync() trusts a watch half a second after it began, and none that ended", () => {
  let now = 1_000;
  const { options: { onEvent }, isSynced } = withSync({ onEvent: () => {} }, () => now);
  const seen: boolean[] = [];
  const after = (ms: number) => {
    now += ms;
    seen.push(isSynced());
  };
  after(10_000);
  onEvent({ kind: "watching", from: 1n, member: "a" });
  after(499);
  after(1);
  onEvent({ kind: "watch-ended", reason: "gone", readAgain: false });
  after(10_000);
  onEvent({ kind: "watching", from: 1n, member: "a" });
  after(0);
  after(500);
  assertEquals(seen, [false, false, true, false, false, true]);
});
