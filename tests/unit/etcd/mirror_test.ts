import { assertEquals } from "@std/assert";
import { createSync } from "../../../lib/etcd/mirror.ts";

Deno.test("createSync() trusts a watch half a second after it began, and none that ended", () => {
  let now = 1_000;
  const sync = createSync(() => now);
  const seen: boolean[] = [];
  const after = (ms: number) => {
    now += ms;
    seen.push(sync.isSynced());
  };
  after(10_000);
  sync.onEvent({ kind: "watching", from: 1n, member: "a" });
  after(499);
  after(1);
  sync.onEvent({ kind: "watch-ended", reason: "gone", readAgain: false });
  after(10_000);
  sync.onEvent({ kind: "watching", from: 1n, member: "a" });
  after(0);
  after(500);
  assertEquals(seen, [false, false, true, false, false, true]);
});
