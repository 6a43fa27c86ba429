import { assertEquals, assertThrows } from "@std/assert";
import { type ChaosResult, chaosTable, lateLines, replaceTable } from "../../../../tools/chaos/table.ts";

const PLAYED: ChaosResult = {
  kind: "played",
  name: "etcd_down",
  fault: "etcd is killed",
  requests: 1_234,
  failed: 0,
  mayFail: undefined,
  noticedMs: 250,
  rightMs: 1_250,
};

Deno.test("chaosTable() has a row for each scenario that was played", () => {
  const broken: ChaosResult = { kind: "broken", name: "x", fault: "y", reason: "z" };
  assertEquals(
    chaosTable([PLAYED, broken]),
    [
      "| scenario    | failed requests | noticed after | right again after |",
      "| ----------- | --------------- | ------------- | ----------------- |",
      "| `etcd_down` | 0 of 1,234      | 250 ms        | 1.3 s             |",
      "| `x`         | BROKEN          |               |                   |",
      "",
      "What breaks:",
      "",
      "- `etcd_down`: etcd is killed",
      "- `x`: y",
    ].join("\n"),
  );
});

Deno.test("chaosTable() says why requests may fail, and names what was skipped", () => {
  const text = chaosTable([
    { ...PLAYED, failed: 2, mayFail: "in flight at the kill", noticedMs: undefined },
    { kind: "skipped", name: "disk_full", fault: "the disk is full", reason: "no tmpfs" },
  ]);
  assertEquals(text.split("\n").slice(2), [
    "| `etcd_down` | 2 of 1,234      | -             | 1.3 s             |",
    "",
    "What breaks:",
    "",
    "- `etcd_down`: etcd is killed; in flight at the kill",
    "",
    "Skipped:",
    "",
    "- `disk_full` (the disk is full): no tmpfs",
  ]);
});

Deno.test("lateLines() names what was noticed or right again too late", () => {
  assertEquals(lateLines([PLAYED, { ...PLAYED, noticedMs: undefined, rightMs: undefined }]), []);
  assertEquals(lateLines([{ ...PLAYED, noticedMs: 3_200, rightMs: 5_001 }]), [
    "etcd_down: noticed after 3.2 s",
    "etcd_down: right again after 5.0 s",
  ]);
});

Deno.test("replaceTable() keeps the text around the marks, and refuses a page without them", () => {
  const page = "before\n<!-- begin of the table -->\nold\n<!-- end of the table -->\nafter\n";
  assertEquals(
    replaceTable(page, "| new |"),
    "before\n<!-- begin of the table -->\n\n| new |\n\n<!-- end of the table -->\nafter\n",
  );
  assertThrows(() => replaceTable("a page", "| new |"), Error, "Cannot write the table");
});
