import { assert, assertEquals } from "@std/assert";
import { createLiveness } from "../../lib/haproxy/liveness.ts";
import { leaveSocket } from "../support/haproxy_faults.ts";
import { tempDir, waitFor } from "../support/mod.ts";

Deno.test("createLiveness() calls no socket lost during a reload, however long it takes", async () => {
  await using dir = await tempDir();
  const stale = `${dir.path}/stale.sock`;
  await leaveSocket(stale);
  let isReloading = true;
  let looks = 0;
  let lost = 0;
  const liveness = createLiveness({
    dir: { masterSocket: stale, runtimeSocket: `${dir.path}/missing.sock` },
    state: () => ({ kind: "up", pid: 1, adopted: false }),
    isReloading: () => {
      looks++;
      return isReloading;
    },
    refusedAfterMs: 1,
    onSockets: () => {},
    onLost: () => lost++,
  });
  const stop = new AbortController();
  const running = liveness.run(stop.signal);
  await waitFor("some looks", () => looks > 8);
  assertEquals([lost, liveness.sockets().master.kind], [0, "answers"]);
  isReloading = false;
  await waitFor("a lost socket", () => lost > 0 && liveness.sockets().master.kind === "lost");
  stop.abort();
  await running;
});

/** A master that says that it has a worker, and passes questions on to it. */
function answeringMaster(path: string, onQuestion: (line: string) => void = () => {}): AsyncDisposable {
  const listener = Deno.listen({ transport: "unix", path });
  const served = (async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(1_000);
      const read = await connection.read(buffer) ?? 0;
      const line = new TextDecoder().decode(buffer.subarray(0, read));
      onQuestion(line);
      const answer = line.startsWith("@1")
        ? "2.6.12\n"
        : "#<PID> <type> <reloads> <uptime> <version>\n10 master 0 [failed: 0] 0d00h00m02s 2.6.12\n# workers\n" +
          "11 worker 0 0d00h00m02s 2.6.12\n# old workers\n# programs\n\n";
      await connection.write(new TextEncoder().encode(answer));
      connection.close();
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await served;
    },
  };
}

Deno.test("createLiveness() soon calls a socket lost that refuses, when its worker answers by way of the master", async () => {
  await using dir = await tempDir();
  const stale = `${dir.path}/stale.sock`;
  await leaveSocket(stale);
  const masterSocket = `${dir.path}/master.sock`;
  await using _master = answeringMaster(masterSocket);
  const liveness = createLiveness({
    dir: { masterSocket, runtimeSocket: stale },
    state: () => ({ kind: "up", pid: 10, adopted: false }),
    isReloading: () => false,
    refusedAfterMs: 600_000,
    onSockets: () => {},
    onLost: () => {},
  });
  const stop = new AbortController();
  const running = liveness.run(stop.signal);
  try {
    await waitFor("a lost socket", () => liveness.sockets().worker.kind === "lost");
    assertEquals(liveness.sockets().master.kind, "answers");
  } finally {
    stop.abort();
    await running;
  }
});

Deno.test("createLiveness() looks seldom while all is well, and often while something may not be", async () => {
  await using dir = await tempDir();
  const [masterSocket, runtimeSocket] = [`${dir.path}/master.sock`, `${dir.path}/runtime.sock`];
  const looks: number[] = [];
  const onQuestion = (line: string) => {
    if (line.startsWith("show proc")) looks.push(performance.now());
  };
  const pauses = () => looks.slice(1).map((at, index) => at - (looks[index] ?? at));
  await using _master = answeringMaster(masterSocket, onQuestion);
  await using worker = new AsyncDisposableStack();
  worker.use(answeringMaster(runtimeSocket));
  const liveness = createLiveness({
    dir: { masterSocket, runtimeSocket },
    state: () => ({ kind: "up", pid: 10, adopted: false }),
    isReloading: () => false,
    onSockets: () => {},
    onLost: () => {},
  });
  const stop = new AbortController();
  const running = liveness.run(stop.signal);
  try {
    await waitFor("some looks", () => looks.length > 3);
    assert((looks[3] ?? 0) - (looks[0] ?? 0) > 3 * 500, `looks ${pauses()} ms apart`);
    looks.length = 0;
    await worker.disposeAsync();
    await waitFor("looks that follow each other soon", () => pauses().some((pause) => pause < 500));
  } finally {
    stop.abort();
    await running;
  }
});
