import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";

const EMBEDDED = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));

/** Makes the controller look at its template now. */
function hangup(pid: number): void {
  Deno.kill(pid, "SIGHUP");
}

const BROKEN = {
  "does not compile": (good: string) => `${good}\n<% if ( { %>`,
  "throws": (good: string) => `${good}\n<% throw new Error("no luck") %>`,
  "makes a text that HAProxy refuses": (good: string) =>
    good.replace("mode http", "mode http\n    bogus keyword"),
};

for (const [what, breakIt] of Object.entries(BROKEN)) {
  Deno.test(`a template that ${what} keeps endpoints following on the last good base`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using node = await testNode({ endpoints: etcd.endpoints });
    await using one = startOrigin("one");
    await using two = startOrigin("two");
    const template = `${node.dir}/template.eta`;
    await Deno.writeTextFile(template, EMBEDDED);
    await etcd.put("/services/backend/one", one.address);
    const controller = node.start({ args: ["--template", template] });
    await node.untilAnswer("one");
    await node.untilState(
      "the first base",
      ({ base, plan }) => base?.from === "rendered" && plan?.outcome === "reached",
    );

    await Deno.writeTextFile(template, breakIt(EMBEDDED));
    hangup(controller.pid);
    await node.untilState("a refusal", ({ base }) => (base?.refused ?? null) !== null);
    await etcd.put("/services/backend/one", two.address);
    await node.untilAnswer("two");
    assert((await node.state()).readiness.ready);

    await Deno.writeTextFile(template, EMBEDDED.replace("timeout queue 5s", "timeout queue 6s"));
    hangup(controller.pid);
    await node.untilState("acceptance", ({ base }) => base?.from === "rendered" && base.refused === null);
    assertStringIncludes(await node.readConfig(), "timeout queue 6s");
    assertEquals((await node.request()).body, "two");
  });
}

Deno.test("an entry whose line HAProxy refuses becomes a rejection, and the rest is served", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const template = `${node.dir}/template.eta`;
  const serverLine = "<%= it.serverLine(server) %>";
  await Deno.writeTextFile(
    template,
    EMBEDDED.replace(serverLine, `${serverLine}<%= server.weight === 13 ? " bogus" : "" %>`),
  );
  await etcd.put("/services/backend/one", one.address);
  node.start({ args: ["--template", template] });
  await node.untilAnswer("one");
  await etcd.put("/services/backend/unlucky", `{"address":"${one.address}","weight":13}`);
  await etcd.put("/services/backend/lucky", `{"address":"${one.address}","weight":14}`);
  await node.untilServers("backend", ["lucky", "one"]);
  const { rejections } = await node.untilState("a rejection", ({ rejections }) => rejections.length > 0);
  assertEquals(rejections[0]?.key, "/services/backend/unlucky");
  assertStringIncludes(rejections[0]?.reason ?? "", "HAProxy refuses it");

  await etcd.put("/services/backend/unlucky", `{"address":"${one.address}","weight":12}`);
  await node.untilServers("backend", ["lucky", "one", "unlucky"]);
  await waitFor("no rejection", async () => (await node.state()).rejections.length === 0);
});

Deno.test("a template's own text and a path of the registry reach HAProxy as they are, quoted by the helpers", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const hostile = "\"'\\ \\x41 $HOME ${HOME} %[env(PATH)] %ci # ; | ` <b> \u00e9 end";
  const path = "/%ci;%20&(x)!*=,~@:%%";
  const template = `${node.dir}/template.eta`;
  const ownLines = [
    "    http-response set-header X-Text <%= it.quoteFormat(hostile) %>",
    "    http-response set-header X-Path <%= it.quoteFormat(service.checkPath ?? '') %>",
    "    http-response set-header X-Plain %[str(<%= it.quote(service.name) %>)]",
    "    <%= it.serverLine(server) %>",
  ].join("\n");
  await Deno.writeTextFile(
    template,
    `<% const hostile = ${JSON.stringify(hostile)} %>\n` +
      EMBEDDED.replace("    <%= it.serverLine(server) %>", ownLines),
  );
  const entry = { address: one.address, meta: { "a\nbackend b": hostile }, check: { path } };
  await etcd.put("/services/backend/one", JSON.stringify(entry));
  node.start({ args: ["--template", template] });
  await node.untilAnswer("one");
  await waitFor("HAProxy's own words", async () => {
    const response = await fetch(node.url);
    await response.body?.cancel();
    const value = (name: string) => response.headers.get(name);
    assertEquals([value("x-path"), value("x-plain")], [path, "backend"]);
    assertEquals(value("x-text"), new TextDecoder("latin1").decode(new TextEncoder().encode(hostile)));
    return true;
  });
});
