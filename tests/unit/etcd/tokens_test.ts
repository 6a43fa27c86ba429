import { assertEquals, assertRejects } from "@std/assert";
import { createTokens } from "../../../lib/etcd/tokens.ts";

/** Counts how often it is asked; each token is named after the count and the endpoint. */
function counting() {
  const asked: string[] = [];
  const tokens = createTokens((via: string) => Promise.resolve(`${asked.push(via)} ${via}`));
  return { asked, tokens };
}

Deno.test("createTokens() asks once for calls that come together, and keeps the token", async () => {
  const { tokens, asked } = counting();
  assertEquals(await Promise.all([tokens.get("a"), tokens.get("b")]), ["1 a", "1 a"]);
  assertEquals(await tokens.get("c"), "1 a");
  assertEquals(asked, ["a"]);
});

Deno.test("createTokens() asks again for a token that was refused", async () => {
  const { tokens } = counting();
  tokens.forget(await tokens.get("a"));
  assertEquals(await tokens.get("b"), "2 b");
});

Deno.test("createTokens() keeps a newer token than the one that was refused", async () => {
  const { tokens } = counting();
  const first = await tokens.get("a");
  tokens.forget(first);
  await tokens.get("b");
  tokens.forget(first);
  assertEquals(await tokens.get("c"), "2 b");
});

Deno.test("createTokens() remembers that none is needed, until a call without one is refused", async () => {
  const answers = [undefined, "token"];
  const tokens = createTokens(() => Promise.resolve(answers.shift()));
  assertEquals(await tokens.get("a"), undefined);
  assertEquals(await tokens.get("a"), undefined);
  tokens.forget(undefined);
  assertEquals(await tokens.get("a"), "token");
});

Deno.test("createTokens() asks again after it failed", async () => {
  let fails = true;
  const tokens = createTokens(() => fails ? Promise.reject(new Error("away")) : Promise.resolve("token"));
  await assertRejects(() => Promise.resolve(tokens.get("a")), Error, "away");
  fails = false;
  assertEquals(await tokens.get("b"), "token");
});
