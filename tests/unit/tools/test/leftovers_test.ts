import { assertEquals } from "@std/assert";
import { hasPath } from "../../../../tools/test/leftovers.ts";

Deno.test("hasPath() finds a directory, and what is in it, in arguments", () => {
  const found = ["etcd --data-dir /tmp/t/1", "etcd --data-dir=/tmp/t/1/etcd --name a", "ls /tmp/t/1 /tmp"];
  assertEquals(found.filter((args) => hasPath(args, "/tmp/t/1")), found);
});

Deno.test("hasPath() takes no directory for another whose name begins alike", () => {
  assertEquals(hasPath("deno test --junit-path=/tmp/t/10/junit.xml", "/tmp/t/1"), false);
});
