import { assertEquals } from "@std/assert";
import { createLookout } from "../../lib/haproxy/lookout.ts";
import { tempDir, waitFor } from "../support/mod.ts";

Deno.test("createLookout() calls no socket lost while a reload goes on, however long it takes", async () => {
  await using dir = await tempDir();
  const stale = `${dir.path}/stale.sock`;
  // The file stays behind, and nobody listens.
  Deno.listen({ transport: "unix", path: stale }).close();
  let isReloading = true;
  let looks = 0;
  let lost = 0;
  const lookout = createLookout({
    dir: { masterSocket: stale, runtimeSocket: `${dir.path}/missing.sock` },
    state: () => ({ kind: "up", pid: 1, adopted: false }),
    isReloading: () => {
      looks++;
      return isReloading;
    },
    refusedAfterMs: 1,
    onSight: () => {},
    onLost: () => lost++,
  });
  const stop = new AbortController();
  const running = lookout.run(stop.signal);
  await waitFor("some looks", () => looks > 8);
  assertEquals([lost, lookout.sight().master.kind], [0, "answers"]);
  isReloading = false;
  await waitFor("a lost socket", () => lost > 0 && lookout.sight().master.kind === "lost");
  stop.abort();
  await running;
});
