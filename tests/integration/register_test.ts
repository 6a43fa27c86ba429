import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { findProgram, pickPort, startEtcdCluster, startOrigin, tempDir, waitFor } from "../support/mod.ts";
import { controllerCommand } from "../support/node.ts";
import { makeNamespace } from "../support/namespace.ts";
import { type Registered, startRegistered } from "../support/registered.ts";
import { missingRequirement } from "../support/requirements.ts";

/** A command of the shell that goes on until a signal ends it. */
function shell(...traps: string[]): string[] {
  return ["/bin/sh", "-c", [...traps, "echo started", "while :; do sleep 0.05; done"].join("\n")];
}

const NO_CHILD_LEFT = async (pid: number) => {
  // Of one that has ended and that nobody has asked for yet, the command line is empty.
  const commandLine = () => Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
  await waitFor("the command to be gone", async () => await commandLine() === "");
};

Deno.test("register puts what it is told, and at SIGTERM removes it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--weight", "50", "--maxconn", "7", "--meta", "zone=a", "--meta", "note=x y"];
  await using registered = startRegistered(etcd, { port: 8080, args });
  assertEquals(JSON.parse(await registered.untilKey()), {
    address: "127.0.0.1:8080",
    state: "ready",
    weight: 50,
    maxconn: 7,
    meta: { zone: "a", note: "x y" },
  });
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assertEquals(await registered.read(), "");
  assert(
    registered.said("leaving at once: no load-balancer node lives"),
    registered.process.lines.join("\n"),
  );
});

Deno.test("register takes its settings from the environment", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const env = { SERVICE_ADDRESS: "10.0.0.5", SERVICE_WEIGHT: "3" };
  await using registered = startRegistered(etcd, { port: 8080, env });
  assertEquals(JSON.parse(await registered.untilKey()), {
    address: "10.0.0.5:8080",
    state: "ready",
    weight: 3,
  });
});

Deno.test("register warns of an address that nodes reject by default, and registers it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, args: ["--address", "fe80::1"] });
  await registered.untilSaid("nodes reject this address by default");
  assert(registered.said("fe80::1 is link-local, which only --server-networks can allow"));
  assertEquals(JSON.parse(await registered.untilKey()).address, "[fe80::1]:8080");
});

Deno.test("register puts the key while the check passes, and only then", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using origin = startOrigin("one", { status: 500 });
  const check = [
    "--check",
    `${origin.url}healthz`,
    "--check-interval",
    "100ms",
    "--rise",
    "2",
    "--fall",
    "2",
  ];
  await using registered = startRegistered(etcd, { port: origin.port, args: check });
  await waitFor("some checks", () => origin.requests > 5, { deadlineMs: 30_000 });
  assertEquals(await registered.read(), "");
  for (let round = 0; round < 2; round++) {
    origin.behaviour.status = 200;
    await registered.untilKey();
    origin.behaviour.status = 500;
    await registered.untilNoKey();
  }
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assert(!registered.said("registration removed"));
});

Deno.test("register waits for the port of its command with --check tcp", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const port = pickPort();
  const args = ["--check", "tcp", "--check-interval", "100ms"];
  await using registered = startRegistered(etcd, { port, args, command: shell() });
  await registered.untilSaid("started");
  assertEquals(await registered.read(), "");
  await using _origin = startOrigin("one", { port });
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  await registered.untilEnd();
});

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
  registered.process.kill("SIGQUIT");
  assertEquals(await registered.untilEnd(), 131);
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
  assert(registered.said("did not end when it was asked to, and was killed"));
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
  assert(registered.said("what the command left running did not end when it was asked to, and was killed"));
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
  assert(registered.said("what the command left running was killed without waiting any longer"));
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
  name: "Ctrl-C on a terminal reaches register alone, which asks its command to end",
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
  assert(registered.said("the command was killed without waiting any longer"));
});

Deno.test("register leaves a key that another lease owns, names it, ends its command and exits with 1", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lease = (await etcd.etcdctl("lease", "grant", "60")).split(" ")[1] ?? "";
  await etcd.etcdctl("put", `--lease=${lease}`, "/services/backend/a", "other");
  const before = await etcd.etcdctl("get", "/services/backend/a", "-w", "json");
  const command = shell("trap 'echo asked; exit 0' TERM", "echo pid:$$:");
  await using registered = startRegistered(etcd, { port: 8080, id: "a", command });
  assertEquals(await registered.untilEnd(), 1);
  const last = registered.process.lines.at(-1) ?? "";
  assertEquals(last, `etcd-haproxy: Cannot register /services/backend/a: lease ${lease} owns it`);
  const pid = /pid:(\d+):/.exec(registered.process.lines.join("\n"))?.[1];
  if (pid !== undefined) await NO_CHILD_LEFT(Number(pid));
  const kvs = (text: string) => JSON.parse(text).kvs;
  assertEquals(kvs(await etcd.etcdctl("get", "/services/backend/a", "-w", "json")), kvs(before));
});

Deno.test("register that was frozen for longer than its lease comes back", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080 });
  await registered.untilKey();
  registered.process.freeze();
  await registered.untilNoKey();
  registered.process.resume();
  await registered.untilKey();
  await registered.untilSaid("lease ended, registering again");
});

Deno.test("register that comes back to a key of another lease gives it up", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: shell() });
  await registered.untilSaid("started");
  await registered.untilKey();
  registered.process.freeze();
  await registered.untilNoKey();
  await using other = startRegistered(etcd, { port: 8080 });
  const value = await other.untilKey();
  registered.process.resume();
  assertEquals(await registered.untilEnd(), 1);
  assertMatch(registered.process.lines.at(-1) ?? "", /Cannot register \S+: lease [0-9a-f]+ owns it/);
  assertEquals(await other.read(), value);
});

Deno.test("register puts its key back when somebody deletes it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080 });
  await registered.untilKey();
  await etcd.delete(registered.key);
  await registered.untilKey();
  await registered.untilSaid("somebody deleted the key");
});

Deno.test("register never touches an override, from its start to its end", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: shell("trap 'exit 0' TERM") });
  const override = registered.key.replace("/services/", "/haproxy/settings/servers/");
  const stored = () =>
    etcd.etcdctl("get", override, "-w", "fields").then((text) => /"Key"[^]*$/.exec(text)?.[0]);
  await etcd.put(override, '{"state":"drain"}');
  const before = await stored();
  assertStringIncludes(before ?? "", "drain");
  await registered.untilKey();
  await etcd.delete(registered.key);
  await registered.untilSaid("putting it back");
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assertEquals(await registered.read(), "");
  assertEquals(await stored(), before);
});

const NO_NAMESPACE = await missingRequirement(["netns"]);

Deno.test({
  name: "register finds, of several interfaces, the address of the one that reaches etcd" +
    (NO_NAMESPACE === undefined ? "" : ` (skipped: ${NO_NAMESPACE})`),
  ignore: NO_NAMESPACE !== undefined,
  fn: async () => {
    await using namespace = await makeNamespace();
    const places = [{ host: namespace.inside, namespace: namespace.name }];
    await using etcd = await startEtcdCluster({ members: 1, places });
    await using registered = startRegistered(etcd, { port: 8080 });
    assertEquals(JSON.parse(await registered.untilKey()).address, `${namespace.outside}:8080`);
  },
});

Deno.test("register runs its command while etcd is away, says so, and registers when it is there", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.member(0).stop();
  await using registered = startRegistered(etcd, { port: 8080, command: shell("trap 'exit 0' TERM") });
  await registered.untilSaid("started");
  await registered.untilSaid("waiting for etcd, serving meanwhile");
  await etcd.member(0).start();
  await registered.untilKey();
  await etcd.member(0).stop();
  await registered.untilSaid("etcd does not answer, serving on and trying again");
  assertEquals(registered.process.exited, undefined);
  await etcd.member(0).start();
  await registered.untilSaid("etcd answers again");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
});

Deno.test("register says that etcd has no space for it, and registers when there is some", async () => {
  await using etcd = await startEtcdCluster({ members: 1, args: ["--quota-backend-bytes", "4194304"] });
  await waitFor("etcd to refuse a write", async () => {
    const put = etcd.put("/elsewhere", "x".repeat(100_000));
    return await put.then(() => false, (error) => String(error).includes("database space exceeded"));
  }, { deadlineMs: 60_000, everyMs: 0 });
  await using registered = startRegistered(etcd, { port: 8080 });
  const [url] = etcd.endpoints;
  await registered.untilSaid("etcd refuses, serving on and trying again");
  await registered.untilSaid(`etcd at ${url} takes no writes: database space exceeded (alarm NOSPACE)`);
  await etcd.etcdctl("compact", String(await etcd.revision()));
  await etcd.member(0).etcdctl("defrag");
  await etcd.etcdctl("alarm", "disarm");
  await registered.untilSaid("etcd answers again");
  await registered.untilKey();
});

Deno.test("register that never reached etcd leaves at once", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.member(0).stop();
  const command = shell("trap 'exit 0' TERM");
  await using registered = startRegistered(etcd, { port: 8080, args: ["--drain-timeout", "10m"], command });
  await registered.untilSaid("started");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("leaving at once: not registered"));
  assert(!registered.said("registration removed"));
});

Deno.test("register says that its command is not there, and registers nothing", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: ["/no/such/program"] });
  assertEquals(await registered.untilEnd(), 1);
  assertEquals(registered.process.lines, ["etcd-haproxy: Cannot start /no/such/program: it is not there"]);
  assertEquals(await registered.read(), "");
});

Deno.test("register with an entry that no node would take is a usage error", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, id: "a/b" });
  assertEquals(await registered.untilEnd(), 2);
  assertStringIncludes(registered.process.lines.join(), 'Cannot register "backend/a/b"');
});
