import { assertEquals } from "@std/assert";
import { checkConfig } from "../../lib/haproxy/check.ts";
import { tempDir } from "../support/mod.ts";

async function messagesOf(script: string): Promise<string[]> {
  await using dir = await tempDir();
  const program = `${dir.path}/haproxy`;
  await Deno.writeTextFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const result = await checkConfig(program, "haproxy.cfg");
  return result.kind === "valid" ? [] : result.alerts.map(({ message }) => message);
}

Deno.test("checkConfig() gives the exit code as the reason when HAProxy says nothing", async () => {
  assertEquals(await messagesOf("exit 1"), ["haproxy -c ended with exit code 1 and said nothing"]);
  assertEquals(await messagesOf("echo >&2; exit 3"), ["haproxy -c ended with exit code 3 and said nothing"]);
});

Deno.test("checkConfig() gives the last line as the reason when it is no alert", async () => {
  assertEquals(await messagesOf("echo started; echo no memory >&2; exit 1"), ["no memory"]);
});
