import { assertEquals } from "@std/assert";
import { createSettling } from "../../../lib/etcd/settling.ts";

Deno.test("createSettling() trusts a watch half a second after it began, and none that ended", () => {
  let now = 1_000;
  const settling = createSettling(() => now);
  const seen: boolean[] = [];
  const after = (ms: number) => {
    now += ms;
    seen.push(settling.isSettled());
  };
  after(10_000);
  settling.onEtcdEvent({ kind: "watching", from: 1n, member: "a" });
  after(499);
  after(1);
  settling.onEtcdEvent({ kind: "watch-ended", reason: "gone", readAgain: false });
  after(10_000);
  settling.onEtcdEvent({ kind: "watching", from: 1n, member: "a" });
  after(0);
  after(500);
  assertEquals(seen, [false, false, true, false, false, true]);
});
