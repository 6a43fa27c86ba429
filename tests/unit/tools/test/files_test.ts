import { assertEquals, assertRejects } from "@std/assert";
import { findTestFiles } from "../../../../tools/test/files.ts";
import { tempDir } from "../../../support/mod.ts";

Deno.test("findTestFiles() finds tests below folders, without the ignored ones", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/deep/apart`, { recursive: true });
  for (const name of ["a_test.ts", "deep/b_test.ts", "deep/help.ts", "deep/apart/c_test.ts"]) {
    await Deno.writeTextFile(`${dir.path}/${name}`, "");
  }
  const apart = [`${dir.path}/deep/apart/`];
  const found = await findTestFiles([`${dir.path}/`, `${dir.path}/deep`], apart);
  assertEquals(found.sort(), [`${dir.path}/a_test.ts`, `${dir.path}/deep/b_test.ts`]);
});

Deno.test("findTestFiles() finds a file that is asked for by its name, though it is left out else", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/a_test.ts`;
  await Deno.writeTextFile(file, "");
  assertEquals(await findTestFiles([file], [dir.path]), [file]);
});

Deno.test("findTestFiles() refuses a path that is not there", async () => {
  await assertRejects(() => findTestFiles(["tests/nowhere"], []), Deno.errors.NotFound);
});
