import { assertEquals } from "@std/assert";
import { createSpelling } from "../../../lib/haproxy/socket_alias.ts";

const PATH = "/var/lib/x/haproxy.sock";
const OTHER = "/var/lib/x/./haproxy.sock";

Deno.test("createSpelling() turns to the other spelling of the same path, and back", () => {
  const spelling = createSpelling(PATH, undefined);
  const seen = [spelling.now()];
  spelling.turn();
  seen.push(spelling.now());
  spelling.turn();
  assertEquals([...seen, spelling.now()], [PATH, OTHER, PATH]);
});

Deno.test("createSpelling() goes on with the spelling of the file, so that a restart costs no reload", () => {
  assertEquals(createSpelling(PATH, `stats socket ${OTHER} mode 600\n`).now(), OTHER);
  assertEquals(createSpelling(PATH, `stats socket ${PATH} mode 600\n`).now(), PATH);
});
