import { assert, assertEquals } from "@std/assert";
import { isPortFree, pickPort, pickPorts } from "../support/mod.ts";

Deno.test("pickPort() never hands out a port twice", () => {
  const ports = pickPorts(1_000);
  assertEquals(new Set(ports).size, ports.length);
});

Deno.test("pickPort() gives a port that can be bound", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: pickPort() });
  listener.close();
});

Deno.test("isPortFree() sees a listener on all addresses", () => {
  const port = pickPort();
  assert(isPortFree(port));
  const listener = Deno.listen({ hostname: "0.0.0.0", port });
  try {
    assertEquals(isPortFree(port), false);
  } finally {
    listener.close();
  }
});
