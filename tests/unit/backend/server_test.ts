import { assertEquals } from "@std/assert";
import { answer } from "../../../backend/server.ts";

async function ask(request: Request): Promise<[number, string | null, string]> {
  const response = await answer(request, "web1");
  return [response.status, response.headers.get("x-backend"), await response.text()];
}

Deno.test("answer() gives the backend's name, on any path", async () => {
  assertEquals(await ask(new Request("http://host/any/path?q=1")), [200, "web1", "web1\n"]);
});

Deno.test("answer() says on /healthz that it is well", async () => {
  assertEquals(await ask(new Request("http://host/healthz")), [200, "web1", "ok\n"]);
});

Deno.test("answer() reads the request to its end, so that the connection can be kept alive", async () => {
  const request = new Request("http://host/", { method: "POST", body: "x".repeat(100_000) });
  await ask(request);
  assertEquals(request.bodyUsed, true);
});
