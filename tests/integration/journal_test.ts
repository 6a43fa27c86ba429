import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { eventsOf, eventsUrl, isLike, untilEvent } from "../support/journal.ts";
import { testNode } from "../support/node.ts";

const STREAM = { headers: { accept: "text/event-stream" } };

Deno.test("the journal tells how a node starts and follows, and which entries are rejected meanwhile", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");

  const added = await untilEvent(node, { kind: "step", service: "backend", server: "one", action: "add" });
  await untilEvent(node, { kind: "applied" });
  assertMatch(added.reason ?? "", /^asked for at revision \d+$/);
  const kinds = (await eventsOf(node)).map(({ kind }) => kind);
  for (const kind of ["haproxy-up", "registry-read", "etcd-watching", "step", "applied"]) {
    assert(kinds.includes(kind), `${kind} is missing among ${kinds}`);
  }
  assert(kinds.indexOf("registry-read") < kinds.indexOf("applied"));

  await etcd.put("/services/shop/one", one.address);
  const reload = await untilEvent(node, { kind: "reload", cause: "base-changed" }, { after: added });
  assertEquals(reload.result, "loaded");

  const key = "/services/backend/bad";
  await etcd.put(key, "no address");
  const rejected = await untilEvent(node, { kind: "rejected", key });
  assertEquals(rejected.service, "backend");
  await etcd.delete(key);
  const gone = await untilEvent(node, { kind: "rejection-gone", key }, { after: rejected });
  assertEquals(gone.reason, rejected.reason);
  await etcd.delete("/services/backend/one");
  await untilEvent(node, { kind: "step", server: "one", action: "remove" }, { after: gone });
  const again = (await eventsOf(node, gone)).filter(({ kind }) => kind.startsWith("reject"));
  assertEquals(again, []);
});

Deno.test("the journal tells that a server's check fails, in HAProxy's words, and that it passes again", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await using stays = startOrigin("stays");
  await etcd.put("/services/backend/one", one.address);
  await etcd.put("/services/backend/stays", stays.address);
  node.start();
  let last = await untilEvent(node, { kind: "step", server: "one", action: "add" });
  await node.untilAnswer("one");

  const place = { service: "backend", server: "one" };
  const reasons: (string | undefined)[] = [];
  const current = { origin: one };
  await using _current = { [Symbol.asyncDispose]: () => current.origin.closeAbruptly() };
  // A look at HAProxy may come before its line is read, which is done once a second: then the look's words are told.
  while (!reasons.some((reason) => reason?.startsWith("Layer4")) && reasons.length < 5) {
    await current.origin.closeAbruptly();
    const down = await untilEvent(node, { kind: "server-down", ...place }, { after: last });
    current.origin = startOrigin("one", { port: one.port });
    const up = await untilEvent(node, { kind: "server-up", ...place }, { after: down });
    const between = (await eventsOf(node, last)).filter((event) => isLike(event, place));
    assertEquals(between.map(({ kind }) => kind), ["server-down", "server-up"]);
    reasons.push(down.reason);
    last = up;
  }
  assertStringIncludes(reasons.at(-1) ?? "", "Layer4 connection problem");
  const others = (await eventsOf(node)).filter(({ kind, server }) =>
    kind === "server-down" && server !== "one"
  );
  assertEquals(others, []);
});

Deno.test("the journal tells when a problem begins and when it ends, once each", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const template = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  await using node = await testNode({ endpoints: etcd.endpoints });
  const path = `${node.dir}/template.eta`;
  await Deno.writeTextFile(path, template);
  node.start({ args: ["--template", path] });
  await node.untilState("readiness", ({ readiness }) => readiness.ready);

  await Deno.writeTextFile(path, `${template}\nfrontend broken\n    bogus\n`);
  node.controller.kill("SIGHUP");
  const problem = "base-refused";
  const began = await untilEvent(node, { kind: "problem-began", problem });
  assertStringIncludes(began.reason ?? "", "bogus");
  await untilEvent(node, { kind: "base-refused" });
  await Deno.writeTextFile(path, template);
  node.controller.kill("SIGHUP");
  const ended = await untilEvent(node, { kind: "problem-ended", problem }, { after: began });
  await untilEvent(node, { kind: "base-accepted" }, { after: began });
  const all = (await eventsOf(node)).filter((event) => isLike(event, { problem }));
  assertEquals(all.map(({ id }) => id), [began.id, ended.id]);
});

Deno.test("a client gets events as they happen, and neither it nor one that never reads delays the end", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const controller = node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);

  using silent = await Deno.connect({ hostname: "127.0.0.1", port: node.adminPort });
  const request = "GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
  await silent.write(new TextEncoder().encode(request));
  const response = await fetch(eventsUrl(node), STREAM);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert(reader);
  let text = "";
  const read = async (isEnough: () => boolean) => {
    while (!isEnough()) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
    }
  };
  await deadline(read(() => text.includes("event: etcd-watching\n")), 20_000);
  assert(!text.includes('"action":"add"'));
  await etcd.put("/services/backend/one", one.address);
  await deadline(read(() => /event: step\ndata: {[^\n]*"action":"add"/.test(text)), 20_000);

  const startedAt = performance.now();
  controller.kill("SIGTERM");
  await deadline(read(() => false), 10_000);
  const { code } = await deadline(controller.status, 20_000);
  const tookMs = performance.now() - startedAt;
  assertEquals(code, 0);
  const told = [...text.matchAll(/^event: (.*)$/gm)].map(([, kind]) => kind);
  // It ends at the signal: that is the last that it tells.
  assertEquals(told.at(-1), "stopping");
  // A client that is waited for would make it 25 s (--stop-timeout) or 60 s (a stream that is stuck).
  assert(tookMs < 10_000, `the end took ${Math.round(tookMs)} ms`);
});

Deno.test("no page or stream of events shows text of the registry as it is, nor any value", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const hostile = '\x1b[2J\nFATAL \u202e\u009b\u2028"';
  await etcd.put(`/services/backend/${hostile}`, "secret-value-1");
  await etcd.put(`/services/${hostile}/a`, '{"address":"secret-value-2"}');
  await etcd.put(
    "/services/backend/one",
    JSON.stringify({ address: one.address, meta: { a: "secret-meta" } }),
  );
  node.start();
  await node.untilAnswer("one");
  await waitFor("both rejections", async () => {
    const rejected = (await eventsOf(node)).filter(({ kind }) => kind === "rejected");
    return rejected.length === 2 && rejected.every(({ key }) => key?.includes("FATAL"));
  });
  await etcd.delete("/services/backend/one");
  const removed = await untilEvent(node, { kind: "step", server: "one", action: "remove" });

  const page = await (await fetch(eventsUrl(node))).text();
  const stream = (await fetch(eventsUrl(node), STREAM)).body?.pipeThrough(new TextDecoderStream())
    .getReader();
  let streamed = "";
  while (!streamed.includes(`id: ${removed.id}\n`)) streamed += (await stream?.read())?.value ?? "";
  await stream?.cancel();
  assertMatch(page, /^[\x20-\x7e]*$/);
  assertMatch(streamed, /^[\x20-\x7e\n]*$/);
  // Each line of a stream is one that the server wrote.
  for (const line of streamed.split("\n")) assertMatch(line, /^($|id: |event: |data: {)/);
  for (const text of [page, streamed]) assertEquals(/secret/.exec(text), null);
});
