import { assert, assertEquals } from "@std/assert";
import { FLAGS_PAGE, flagsPage, format } from "../../../tools/flags.ts";

Deno.test("docs/flags.md is what `deno task flags` makes of the flags", async () => {
  assertEquals(await Deno.readTextFile(FLAGS_PAGE), await format(flagsPage()));
});

Deno.test("docs/flags.md has no cell that is too wide to read", () => {
  for (
    const cell of flagsPage().split("\n").filter((line) => line.startsWith("|")).flatMap((row) =>
      row.split("|")
    )
  ) {
    assert(cell.length <= 100, cell);
  }
});
