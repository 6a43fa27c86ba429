import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatStatus,
  hasPassed,
  type NodeStatus,
  type NodeView,
  parseApplied,
  parseNodes,
  parseStatus,
} from "../../../lib/ack/keys.ts";
import { raw } from "../fixtures.ts";
import { anyCharacter } from "../../support/characters.ts";

const PREFIX = "/haproxy/nodes/";
const STATUS: NodeStatus = {
  node: "lb1",
  instance: "00ff00ff00ff00ff",
  revision: 1234n,
  lagMs: 0,
  base: "0123456789ab",
  servers: { total: 5, up: 4 },
  draining: ["api/web-1"],
  rejections: 0,
  held: 0,
  plan: "runtime",
  tookMs: 4,
  stale: false,
  at: "2026-01-02T03:04:05.678Z",
  version: "0.1.0",
  admin: "http://127.0.0.1:8405",
};
const bytes = (text: string) => new TextEncoder().encode(text);
const reading = (changes: Record<string, unknown>) =>
  parseStatus(bytes(JSON.stringify({ ...JSON.parse(formatStatus(STATUS)), ...changes })));
const refused = (reason: string) => ({ ok: false, reason } as const);

Deno.test("parseStatus() reads what formatStatus() writes, and fields that it does not know", () => {
  assertEquals(parseStatus(bytes(formatStatus(STATUS))), { ok: true, value: STATUS });
  assertEquals(reading({ more: [1] }), { ok: true, value: STATUS });
});

const badStatuses: Record<string, [changes: Record<string, unknown>, reason: string]> = {
  "a negative revision": [{ revision: -1 }, "revision is negative"],
  "a revision that is no integer": [{ revision: 1.5 }, "revision is not an integer"],
  "a revision as text": [{ revision: "12" }, "revision is not a number"],
  "draining that is no array": [{ draining: "api/web-1" }, "draining is not an array"],
  "draining with markup": [{ draining: ["\u001b[31m"] }, "draining.0 is not <service>/<id>"],
  "a plan of another kind": [{ plan: "restart" }, "plan is not runtime, reload or none"],
  "a time of another form": [{ at: "yesterday" }, "at is not a time of RFC 3339"],
  "a version of a megabyte": [{ version: "x".repeat(1_000) }, "version is too long"],
  "servers that are none": [{ servers: 3 }, "servers is not a JSON object"],
  "no version": [{ version: undefined }, "version is missing"],
  "servers without a count": [{ servers: { total: 3 } }, "servers.up is missing"],
};

for (const [what, [changes, reason]] of Object.entries(badStatuses)) {
  Deno.test(`parseStatus() refuses ${what}`, () => assertEquals(reading(changes), refused(reason)));
}

Deno.test("parseStatus() refuses what is no JSON object, no UTF-8, or too long", () => {
  for (const value of ["", "[]", "null", "{", "12"]) {
    assertEquals(parseStatus(bytes(value)).ok, false, value);
  }
  assertEquals(parseStatus(Uint8Array.of(0xff)), refused("value is not a JSON object"));
  assertEquals(parseStatus(new Uint8Array(65_537)), refused("value has more than 65536 bytes"));
});

Deno.test("parseApplied() takes a bare revision and nothing else", () => {
  assertEquals(parseApplied(bytes("1234")), { ok: true, value: 1234n });
  for (const value of ["", "-1", "12 ", "1e3", "0x10", "12345678901234567890", "١٢"]) {
    assertEquals(parseApplied(bytes(value)), refused("value is not a revision"), value);
  }
});

Deno.test("parseNodes() puts the two keys of a node together, and sorts nodes by name", () => {
  const entries = [
    raw(`${PREFIX}lb2/applied`, "7"),
    raw(`${PREFIX}lb1~00ff/status`, formatStatus(STATUS)),
    raw(`${PREFIX}lb1/status`, formatStatus(STATUS)),
    raw(`${PREFIX}lb1/applied`, "1234"),
  ];
  assertEquals(parseNodes(entries, PREFIX), {
    nodes: [
      { node: "lb1", applied: 1234n, status: STATUS, hasLease: true },
      { node: "lb1~00ff", applied: undefined, status: STATUS, hasLease: true },
      { node: "lb2", applied: 7n, status: undefined, hasLease: true },
    ],
    bad: [],
  });
});

Deno.test("parseNodes() keeps a node whose value is bad, and counts no key of another form as a node", () => {
  const view = parseNodes([
    raw(`${PREFIX}lb1/applied`, "soon"),
    raw(`${PREFIX}lb2/more`, "1"),
    raw(`${PREFIX}lb3/applied/x`, "1"),
    raw(`${PREFIX}lb 4/applied`, "1"),
    raw(`${PREFIX}lb5~xyz/applied`, "1"),
    raw(`${PREFIX}applied`, "1"),
  ], PREFIX);
  assertEquals(view.nodes, [{ node: "lb1", applied: undefined, status: undefined, hasLease: true }]);
  const form = "key is not <prefix><node-id>/applied or <prefix><node-id>/status";
  assertEquals(view.bad.map(({ reason }) => reason), ["value is not a revision", ...Array(5).fill(form)]);
});

Deno.test("parseNodes() tells of a node one of whose keys has no lease", () => {
  const bare = (key: string) => ({ ...raw(`${PREFIX}${key}`, "7"), hasLease: false });
  const { nodes } = parseNodes([
    bare("lb1/applied"),
    raw(`${PREFIX}lb1/status`, formatStatus(STATUS)),
    raw(`${PREFIX}lb2/applied`, "7"),
    bare("lb2/status"),
    raw(`${PREFIX}lb3/applied`, "7"),
  ], PREFIX);
  assertEquals(nodes.map(({ hasLease }) => hasLease), [false, false, true]);
});

Deno.test("parseNodes() takes any bytes", () => {
  const key = fc.oneof(
    fc.constantFrom("lb1/applied", "lb1/status", "lb1", "/"),
    fc.string({ unit: anyCharacter }),
  );
  fc.assert(fc.property(fc.array(fc.tuple(key, fc.uint8Array())), (entries) => {
    const view = parseNodes(entries.map(([key, value]) => raw(`${PREFIX}${key}`, value)), PREFIX);
    return view.nodes.length <= entries.length;
  }));
});

const node = (changes: Partial<NodeView> = {}): NodeView => ({
  node: "lb1",
  applied: 10n,
  status: { ...STATUS, draining: [] },
  hasLease: true,
  ...changes,
});

const passages: Record<string, [node: NodeView, server: string | undefined, passed: boolean]> = {
  "has passed at the revision": [node(), undefined, true],
  "has passed above it": [node({ applied: 11n }), undefined, true],
  "has not passed below it": [node({ applied: 9n }), undefined, false],
  "has not passed while it tells no revision": [node({ applied: undefined }), undefined, false],
  "has passed a server that it does not drain": [node(), "api/web-1", true],
  "has not passed a server that it drains": [node({ status: STATUS }), "api/web-1", false],
  "has passed another server than the one that it drains": [node({ status: STATUS }), "api/web-2", true],
  "has not passed a server while it does not tell what it drains": [
    node({ status: undefined }),
    "api/web-1",
    false,
  ],
};

for (const [what, [view, server, passed]] of Object.entries(passages)) {
  Deno.test(`hasPassed() says that a node ${what}`, () => {
    assertEquals(hasPassed(view, { revision: 10n, server }), passed);
  });
}
