import { assertEquals, assertRejects } from "@std/assert";
import { replaceFile } from "../../lib/haproxy/config_file.ts";
import { ControllerError } from "../../lib/util/errors.ts";
import { tempDir } from "../support/mod.ts";

Deno.test("replaceFile() gives the same reason each time that it fails", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/haproxy.cfg`;
  await Deno.mkdir(path);
  const reason = async () => (await assertRejects(() => replaceFile(path, "text"), ControllerError)).message;
  assertEquals(await reason(), await reason());
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path), ({ name }) => name), ["haproxy.cfg"]);
});
