import { assert, assertEquals } from "@std/assert";
import { isPortFree, pickPort, pickPorts } from "../../../support/mod.ts";

Deno.test("pickPort() never hands out a port twice", () => {
  const ports = pickPorts(300);
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

Deno.test("pickPort() picks from another share of the range in another process", async () => {
  const own = pickPorts(20);
  const code = `
    import { pickPorts } from ${
    JSON.stringify(new URL("../../../../tools/local/ports.ts", import.meta.url).href)
  };
    console.log(pickPorts(20).join());
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", code] }).output();
  const others = new TextDecoder().decode(stdout).trim().split(",").map(Number);
  assertEquals(others.length, 20);
  const [low, high] = [Math.min(...own), Math.max(...own)];
  assert(others.every((port) => port < low) || others.every((port) => port > high), `${own} and ${others}`);
});
