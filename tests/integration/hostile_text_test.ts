import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { startEtcdCluster, waitFor } from "../support/mod.ts";
import { controllerCommand, testNode } from "../support/node.ts";

/** Bytes that a terminal obeys, that end a line, that turn its direction, or that are no text at all. */
const HOSTILE = [
  ...["\x1b[2J\x1b]0;owned\x07", "\n\u001b[32mok      etcd", "\r", "\t", "\x7f", "\0"].map((text) =>
    Buffer.from(text)
  ),
  ...["\u202egnp.exe", "\u2066", "\u2028", "\u0085", "\u009b31m", "\ufeff"].map((text) => Buffer.from(text)),
  ...[[0x9b, 0x33], [0xff, 0xfe], [0xed, 0xa0, 0x80], [0xc0, 0x8a]].map((bytes) => Buffer.from(bytes)),
  Buffer.alloc(1_000_000, "k"),
];

async function output(args: readonly string[]): Promise<string> {
  const { command, args: before } = controllerCommand();
  const { stdout, stderr } = await new Deno.Command(command, { args: [...before, ...args] }).output();
  return new TextDecoder("latin1").decode(stdout) + new TextDecoder("latin1").decode(stderr);
}

for (const format of ["text", "json"]) {
  Deno.test(`no log line of ${format}, page or command shows text of the registry as it is`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using node = await testNode({ endpoints: etcd.endpoints });
    const { kv, close } = createEtcdClient({ endpoints: etcd.endpoints });
    using cleanup = new DisposableStack();
    cleanup.defer(close);
    for (const [index, bytes] of HOSTILE.entries()) {
      for (
        const [key, value] of [
          [Buffer.concat([Buffer.from("/services/web/"), bytes]), "10.0.0.5:80"],
          [`/services/web/${index}`, bytes.subarray(0, 1_000)],
          [Buffer.concat([Buffer.from("/haproxy/settings/servers/web/"), bytes]), "{}"],
        ] as const
      ) await waitFor("a put", () => kv.put(key).value(value).exec());
    }
    node.start({ args: ["--log-format", format] });
    await node.untilState("rejections", ({ rejections }) => rejections.length === 3 * HOSTILE.length);
    const logged = () => node.controller.lines.filter((line) => line.includes("entry rejected")).length;
    await waitFor("a line for each", () => logged() >= 3 * HOSTILE.length);

    const pages = ["/api/state", "/metrics", "/readyz"];
    const shown = [
      ...node.controller.lines,
      ...await Promise.all(
        pages.map(async (page) => (await fetch(`http://127.0.0.1:${node.adminPort}${page}`)).text()),
      ),
      ...await Promise.all(["render", "diff", "check"].map((command) => output([command, ...node.places]))),
    ];
    for (const text of shown) assertMatch(text, /^[\x20-\x7e\n]*$/);
    assert(shown.every((text) => text.length < 100_000));
    const lines = shown.flatMap((text) => text.split("\n"));
    assertEquals(lines.filter((line) => /^ *ok +etcd/.test(line)).length, 1);
    assertEquals(logged(), 3 * HOSTILE.length);
  });
}

Deno.test("a flood of bad entries is told in few log lines, and listed in the state", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const { kv, close } = createEtcdClient({ endpoints: etcd.endpoints });
  using cleanup = new DisposableStack();
  cleanup.defer(close);
  for (let service = 0; service < 3; service++) {
    const puts = Array.from(
      { length: 100 },
      (_, id) => kv.put(`/services/s${service}/${id}`).value("nowhere"),
    );
    await kv.if("/services/", "Version", "==", 0).then(...puts).commit();
  }
  node.start();
  await node.untilState("rejections", ({ rejections }) => rejections.length === 300);
  await node.untilLine(/more entries rejected, see \/api\/state count=200/);
  const logged = node.controller.lines.filter((line) => line.includes("entry rejected"));
  assertEquals(logged.length, 100);
});
