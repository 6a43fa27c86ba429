import { assertEquals } from "@std/assert";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";

Deno.test("a node whose admin port another process has serves all the same, and takes the port when it is free", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  const other = Deno.listen({ hostname: "127.0.0.1", port: node.adminPort });
  try {
    node.start();
    await waitFor("an answer", async () => (await node.request()).body === "one", { deadlineMs: 30_000 });
    await waitFor(
      "the error",
      () => node.controller.lines.some((line) => line.includes("retrying") && line.includes("in use")),
    );
  } finally {
    other.close();
  }
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
});

Deno.test("a node whose admin port another process has can be stopped", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  using _other = Deno.listen({ hostname: "127.0.0.1", port: node.adminPort });
  const controller = node.start();
  await waitFor("the start", () => controller.lines.some((line) => line.includes("node started")));
  const { code } = await controller.stop({ deadlineMs: 30_000 });
  assertEquals(code, 0);
});
