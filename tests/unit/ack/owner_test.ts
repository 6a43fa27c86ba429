import { assertEquals } from "@std/assert";
import { type Owner, ownerOf, secondName } from "../../../lib/ack/owner.ts";
import { formatStatus } from "../../../lib/ack/keys.ts";

const OURS = "00ff00ff00ff00ff";
const LEASE = "77";

type FoundStatus = Parameters<typeof ownerOf>[0];

function found(instance: string, lease: string): FoundStatus {
  const status = formatStatus({
    node: "lb1",
    instance,
    revision: 1n,
    lagMs: 0,
    base: "",
    servers: { total: 0, up: 0 },
    draining: [],
    rejections: 0,
    held: 0,
    plan: "none",
    tookMs: 0,
    stale: false,
    at: "2026-01-02T03:04:05Z",
    version: "0.1.0",
    admin: "",
  });
  return { value: new TextEncoder().encode(status), lease };
}

const owners: Record<string, [FoundStatus, Owner]> = {
  "this process's when there are none": [undefined, "this-process"],
  "this process's when they are under its lease": [found("another", LEASE), "this-process"],
  "this node's when an earlier run put them": [found(OURS, "5"), "this-node"],
  "another's when another instance put them": [found("another", "5"), "another"],
  "another's when they cannot be read": [{ value: Uint8Array.of(0xff), lease: "5" }, "another"],
};

for (const [what, [keys, owner]] of Object.entries(owners)) {
  Deno.test(`ownerOf() says that keys are ${what}`, () => {
    assertEquals(ownerOf(keys, { instance: OURS, leaseId: LEASE }), owner);
  });
}

Deno.test("secondName() puts four digits of the instance behind the node's id", () => {
  assertEquals(secondName("lb1", OURS), "lb1~00ff");
});
