import { assertEquals } from "@std/assert";
import { createSocketAlias } from "../../../lib/haproxy/socket_alias.ts";

const PATH = "/var/lib/x/haproxy.sock";
const OTHER = "/var/lib/x/./haproxy.sock";

Deno.test("createSocketAlias() turns to the other spelling of the same path, and back", () => {
  const alias = createSocketAlias(PATH, undefined);
  const seen = [alias.now()];
  alias.turn();
  seen.push(alias.now());
  alias.turn();
  assertEquals([...seen, alias.now()], [PATH, OTHER, PATH]);
});

Deno.test("createSocketAlias() begins with the spelling of the file, so that a restart costs no reload", () => {
  assertEquals(createSocketAlias(PATH, `stats socket ${OTHER} mode 600\n`).now(), OTHER);
  assertEquals(createSocketAlias(PATH, `stats socket ${PATH} mode 600\n`).now(), PATH);
});
