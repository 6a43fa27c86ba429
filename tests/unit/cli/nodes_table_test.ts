import { assertEquals } from "@std/assert";
import type { NodeStatus, NodeView } from "../../../lib/ack/keys.ts";
import { ageText, behindText, nodesJson, nodesTable } from "../../../lib/cli/nodes_table.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const STATUS: NodeStatus = {
  node: "lb1",
  instance: "00ff00ff00ff00ff",
  revision: 1234n,
  lagMs: 3,
  base: "0123456789ab",
  servers: { total: 5, up: 4 },
  draining: [],
  rejections: 1,
  held: 2,
  plan: "runtime",
  tookMs: 4,
  stale: false,
  at: "2026-01-02T03:03:35Z",
  version: "0.1.0",
  admin: "http://127.0.0.1:8405",
};
const node = (changes: Partial<NodeView> = {}): NodeView => ({
  node: "lb1",
  applied: 1234n,
  status: STATUS,
  hasLease: true,
  ...changes,
});

Deno.test("nodesTable() shows a line for each node, and what it drains below", () => {
  const second = { ...STATUS, draining: ["api/a", "api/b"], stale: true };
  const nodes = [
    node(),
    node({ node: "lb1~00ff", applied: 7n, status: second }),
    node({ node: "lb2", applied: undefined, status: undefined, hasLease: false }),
  ];
  assertEquals(nodesTable({ nodes, bad: [{ key: "/x/\x1b", reason: "key is odd" }] }, NOW), [
    "NODE      REVISION  LAG   UP   PLAN     TOOK  REJECTED  HELD  DRAINING  STALE  AGE   VERSION",
    "lb1       1234      3 ms  4/5  runtime  4 ms  1         2     0         no     30 s  0.1.0",
    "lb1~00ff  7         3 ms  4/5  runtime  4 ms  1         2     2         yes    30 s  0.1.0",
    "lb2       -         ?     ?    ?        ?     ?         ?     ?         ?      ?     ?",
    "lb1~00ff drains api/a, api/b",
    "lb2 has keys without a lease: it counts as alive until they are deleted",
    "cannot read /x/\\x1b: key is odd",
  ]);
});

Deno.test("nodesTable() says that no node is alive", () => {
  assertEquals(nodesTable({ nodes: [], bad: [] }, NOW).at(-1), "no node is alive");
});

Deno.test("nodesTable() escapes and cuts what nodes say of themselves", () => {
  const hostile = { ...STATUS, version: `\x1b[2J${"x".repeat(200)}` };
  const [, line = ""] = nodesTable({ nodes: [node({ status: hostile })], bad: [] }, NOW);
  assertEquals([line.includes("\x1b"), line.includes("\\x1b[2Jxxx"), line.length < 200], [false, true, true]);
});

Deno.test("nodesJson() has numbers for revisions and null for what a node does not tell", () => {
  const nodes = [node(), node({ node: "lb2", applied: undefined, status: undefined, hasLease: false })];
  assertEquals(JSON.parse(JSON.stringify(nodesJson({ nodes, bad: [] }))), {
    nodes: [
      { node: "lb1", applied: 1234, status: { ...STATUS, revision: 1234 }, hasLease: true },
      { node: "lb2", applied: null, status: null, hasLease: false },
    ],
    bad: [],
  });
});

const ages: [ms: number, text: string][] = [
  [-5_000, "0 s"],
  [119_000, "119 s"],
  [120_000, "2 min"],
  [7_199_000, "119 min"],
  [7_200_000, "2 h"],
  [172_800_000, "2 d"],
];
for (const [ms, text] of ages) {
  Deno.test(`ageText() writes ${ms} ms as ${text}`, () => assertEquals(ageText(ms), text));
}

const reasons: [node: NodeView, text: string][] = [
  [node({ applied: undefined }), "lb1 has applied no revision yet"],
  [node({ applied: 9n }), "lb1 has applied revision 9"],
  [node({ applied: 10n, status: undefined }), "lb1 does not report what it drains"],
  [node({ applied: 10n }), "lb1 still has requests for api/a"],
];
for (const [view, text] of reasons) {
  Deno.test(`behindText() says ${text}`, () => assertEquals(behindText(view, 10n, "api/a"), text));
}
