import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { findProgram, startEtcdCluster, tempDir, waitFor } from "../support/mod.ts";
import { controllerCommand } from "../support/node.ts";
import { NO_CHILD_LEFT, type Registered, shell, startRegistered } from "../support/registered.ts";

Deno.test("register passes signals on and returns the exit code of its command", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const passedOn: Deno.Signal[] = ["SIGHUP", "SIGUSR2", "SIGWINCH"];
  const traps = passedOn.map((signal) => `trap 'echo got:${signal}:' ${signal.slice(3)}`);
  const command = shell(...traps, "trap 'exit 7' USR1");
  await using registered = startRegistered(etcd, { port: 8080, command });
  await registered.untilSaid("started");
  await registered.untilKey();
  for (const signal of passedOn) {
    registered.process.kill(signal);
    await registered.untilSaid(`got:${signal}:`);
  }
  registered.process.kill("SIGUSR1");
  assertEquals(await registered.untilEnd(), 7);
  assertEquals(await registered.read(), "");
});

Deno.test("register returns 128 and the signal's number when a signal ends its command", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: shell() });
  await registered.untilSaid("started");
  await registered.untilKey();
  // Not SIGQUIT: a program that was started in the background inherits that it is ignored.
  registered.process.kill("SIGUSR1");
  assertEquals(await registered.untilEnd(), 138);
  assertEquals(await registered.read(), "");
});

Deno.test("register that gets SIGTERM ends its command, and removes the key when it has ended", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const command = shell("trap 'echo stopping >&2; exit 5' TERM");
  await using registered = startRegistered(etcd, { port: 8080, command });
  await registered.untilSaid("started");
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 5);
  assertEquals(await registered.read(), "");
  // Its own lines are written while its command is asked to end: which comes first is chance.
  for (const first of ["leaving at once", "stopping"]) {
    const order = [first, "the command has ended", "registration removed"];
    const places = order.map((text) => registered.process.lines.findIndex((line) => line.includes(text)));
    assertEquals(places, [...places].sort((a, b) => a - b), registered.process.lines.join("\n"));
    assert(!places.includes(-1), registered.process.lines.join("\n"));
  }
});

Deno.test("register kills a command that ignores SIGTERM, and says so", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "300ms"];
  await using registered = startRegistered(etcd, { port: 8080, args, command: shell("trap '' TERM") });
  await registered.untilSaid("started");
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 137);
  assert(registered.said("did not end in time and was killed"));
  assertEquals(await registered.read(), "");
});

Deno.test("register that kills its command kills what that has started", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "300ms"];
  const command = shell("trap '' TERM", "sleep 60 &", "echo grandchild $!");
  await using registered = startRegistered(etcd, { port: 8080, args, command });
  await registered.untilSaid("started");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 137);
  const [, pid] = /grandchild (\d+)/.exec(registered.process.lines.join("\n")) ?? [];
  await NO_CHILD_LEFT(Number(pid));
});

/** A shell that starts a server, which has words for SIGTERM, and then does something itself. */
function around(server: string[], ...own: string[]): string[] {
  const [program, flag, script = ""] = shell("echo server $$:", ...server);
  return [
    "/bin/sh",
    "-c",
    [`${program} ${flag} "${script.replaceAll(/[$"]/g, "\\$&")}" &`, ...own].join("\n"),
  ];
}

async function serverOf({ process, untilSaid }: Registered): Promise<number> {
  await untilSaid("started");
  return Number(/server (\d+):/.exec(process.lines.join("\n"))?.[1]);
}

Deno.test("register ends what its command has started and left running, and returns the command's code", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "5m"];
  const command = around(["trap 'echo stopping; exit 0' TERM"], "wait");
  await using registered = startRegistered(etcd, { port: 8080, args, command });
  const server = await serverOf(registered);
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 143);
  await NO_CHILD_LEFT(server);
  assert(registered.said("stopping"));
  assert(registered.said("what the command left running has ended"));
});

Deno.test("register kills what its command left running when that does not end in what is left of the time", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "500ms"];
  const command = around(["trap 'echo never' TERM"], "wait");
  await using registered = startRegistered(etcd, { port: 8080, args, command });
  const server = await serverOf(registered);
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 143);
  await NO_CHILD_LEFT(server);
  assert(registered.said("what the command left running did not end in time and was killed"));
});

Deno.test("register that gets a further signal kills what its command left running", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "5m"];
  const command = around(["trap 'echo never' TERM"], "wait");
  await using registered = startRegistered(etcd, { port: 8080, args, command });
  const server = await serverOf(registered);
  registered.process.kill("SIGTERM");
  await registered.untilSaid("never");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 143);
  await NO_CHILD_LEFT(server);
  assert(registered.said("what the command left running was killed without further waiting"));
});

Deno.test("register whose command ends by itself ends what it left running, without its key", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "5m"];
  const keys = `etcdctl --endpoints ${etcd.endpoints.join()} get --prefix / -w fields | grep Count`;
  const command = around(
    [`trap 'echo stopping with: $(${keys}); exit 0' TERM`],
    "trap 'exit 3' USR1",
    "wait",
  );
  await using registered = startRegistered(etcd, { port: 8080, args, command });
  const server = await serverOf(registered);
  await registered.untilKey();
  registered.process.kill("SIGUSR1");
  assertEquals(await registered.untilEnd(), 3);
  await NO_CHILD_LEFT(server);
  assert(registered.said('stopping with: "Count" : 0'), registered.process.lines.join("\n"));
  assert(registered.said("what the command left running has ended"), registered.process.lines.join("\n"));
});

const SCRIPT = findProgram("script");

Deno.test({
  name: "Ctrl-C on a terminal reaches register alone, which asks its command to end (needs script)",
  ignore: SCRIPT === undefined,
  fn: async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using dir = await tempDir();
    const [child, seen] = [`${dir.path}/child`, `${dir.path}/seen`];
    const traps = ["trap 'echo interrupted' INT", "trap 'echo stopping; exit 5' TERM"];
    await Deno.writeTextFile(child, shell(...traps)[2] ?? "");
    const { command, args } = controllerCommand();
    const flags = [
      "--service",
      "backend",
      "--port",
      "8080",
      "--id",
      "one",
      "--endpoints",
      etcd.endpoints.join(),
    ];
    const words = ["exec", command, ...args, "register", ...flags, "--", "/bin/sh", child];
    const terminal = new Deno.Command(SCRIPT ?? "", {
      args: ["-qfec", words.join(" "), seen],
      env: { TERM: "xterm" },
      stdin: "piped",
      stdout: "null",
    }).spawn();
    const keyboard = terminal.stdin.getWriter();
    const text = () => Deno.readTextFile(seen);
    await waitFor("the command", async () => (await text()).includes("started"), { deadlineMs: 30_000 });
    await keyboard.write(Uint8Array.of(0x03));
    assertEquals((await terminal.status).code, 5);
    await keyboard.close().catch(() => {});
    assertStringIncludes(await text(), "stopping");
    assert(!(await text()).includes("interrupted"));
  },
});

Deno.test("register that gets a further signal kills a command that does not end", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--stop-timeout", "5m"];
  const command = shell("trap 'echo never' TERM");
  await using registered = startRegistered(etcd, { port: 8080, args, command });
  await registered.untilSaid("started");
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  await registered.untilSaid("never");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 137);
  assert(registered.said("the command was killed without further waiting"));
});
