import { assertEquals } from "@std/assert";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { createMirror, type MirrorEvent } from "../../lib/etcd/mirror.ts";
import { pickPort, startEtcdCluster, waitFor } from "../support/mod.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";

/** A mirror that runs, and its events. */
function startMirror(endpoints: readonly string[]) {
  const client = createEtcdClient({ endpoints });
  const events: MirrorEvent[] = [];
  const stop = new AbortController();
  const mirror = createMirror({
    client,
    prefixes: ["/services/"],
    onChange: () => {},
    onEvent: (event) => events.push(event),
  });
  const running = mirror.run(stop.signal);
  const watched = async () => {
    const event = await waitFor(
      "a watch",
      () => events.findLast((event) => event.kind === "watching"),
      { deadlineMs: 30_000 },
    );
    return event.kind === "watching" ? event.member : "";
  };
  const close = async () => {
    stop.abort();
    await running;
    client.close();
  };
  return { mirror, events, watched, [Symbol.asyncDispose]: close };
}

Deno.test("nodes with the same endpoints watch different members", async () => {
  await using etcd = await startEtcdCluster({ members: 3 });
  const members = new Set<string>();
  await waitFor("every member to be watched", async () => {
    await using started = startMirror(etcd.endpoints);
    members.add(await started.watched());
    return members.size === 3;
  }, { deadlineMs: 60_000 });
});

Deno.test("one endpoint that answers is enough beside one that refuses and one that is silent", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using silent = startTcpProxy(pickPort());
  silent.cut();
  const others = [pickPort(), silent.port].map((port) => `http://127.0.0.1:${port}`);
  // The order is shuffled by each client: several clients meet every order.
  for (let round = 0; round < 2; round++) {
    await using started = startMirror([...others, ...etcd.endpoints]);
    await started.watched();
    await etcd.put("/services/b/1", String(round));
    await waitFor("the change", async () => {
      const snapshot = await started.mirror.snapshot();
      return new TextDecoder().decode(snapshot?.entries[0]?.value) === String(round);
    });
  }
});

Deno.test("a call with a deadline of its own has that time at each endpoint", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using silent = startTcpProxy(pickPort());
  silent.cut();
  const client = createEtcdClient({ endpoints: [`http://127.0.0.1:${silent.port}`, ...etcd.endpoints] });
  using cleanup = new DisposableStack();
  cleanup.defer(() => client.close());
  // Each call begins at a random endpoint.
  for (let call = 0; call < 8; call++) {
    await client.kv.get("a").options({ deadline: Date.now() + 1_000 }).exec();
  }
});

Deno.test("a watch that loses its member goes to another one, not back to it", async () => {
  await using etcd = await startEtcdCluster({ members: 3 });
  const cables = etcd.members.map(({ endpoint }) => startTcpProxy(Number(new URL(endpoint).port)));
  await using closing = new AsyncDisposableStack();
  cables.forEach((cable) => closing.use(cable));
  const ids = (await Promise.all(etcd.members.map((member) => member.status()))).map(({ id }) => id);
  await using started = startMirror(cables.map(({ port }) => `http://127.0.0.1:${port}`));
  for (let round = 0; round < 4; round++) {
    const cut = cables[ids.indexOf(await started.watched())];
    cut?.cut();
    const before = started.events.length;
    await waitFor(
      "another watch",
      () => started.events.slice(before).some(({ kind }) => kind === "watching"),
      { deadlineMs: 30_000 },
    );
    cut?.mend();
    const reasons = started.events.slice(before).flatMap((event) =>
      event.kind === "watch-ended" ? [event.reason] : []
    );
    assertEquals(reasons.filter((reason) => reason.startsWith("no answer to the watch")), []);
  }
});
