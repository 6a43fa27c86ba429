import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startEtcdCluster, startOrigin } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { runProgram as controller } from "../support/program.ts";

const USAGE_ERRORS: { what: string; args: string[]; env?: Record<string, string>; says: string }[] = [
  { what: "no command", args: [], says: "no command" },
  { what: "an unknown command", args: ["serve"], says: "serve" },
  { what: "an unknown flag", args: ["run", "--bogus"], says: "--bogus" },
  { what: "a flag without its value", args: ["run", "--bind"], says: "--bind" },
  { what: "an argument too many", args: ["version", "now"], says: "too many arguments" },
  { what: "a time that is none", args: ["run", "--debounce", "soon"], says: "--debounce" },
  {
    what: "a network that is none",
    args: ["render", "--server-networks", "10.0.0.0/33"],
    says: "10.0.0.0/33",
  },
  { what: "a port out of range", args: ["run", "--bind", ":70000"], says: "--bind" },
  { what: "a mode that is none", args: ["run", "--source", "guess"], says: "--source" },
  { what: "an endpoint that is none", args: ["render", "--endpoints", "ftp://x:1"], says: "--endpoints" },
  {
    what: "a password on the command line",
    args: ["check", "--user", "root:secret"],
    says: "--user takes a name only",
  },
  {
    what: "a prefix without its slash",
    args: ["diff", "--services-prefix", "/services"],
    says: "--services-prefix",
  },
  {
    what: "a bad environment variable",
    args: ["run"],
    env: { MAX_WAIT_MS: "x" },
    says: "MAX_WAIT_MS is not a time",
  },
  { what: "a time without a unit", args: ["status", "--timeout", "5"], says: "did you mean 5s?" },
  { what: "a command with a typing error", args: ["statu"], says: "did you mean status?" },
  { what: "a flag with a typing error", args: ["run", "--binf", ":80"], says: "did you mean --bind?" },
  { what: "a command with a line break", args: ["sta\ntu"], says: "unknown command" },
  { what: "a value with a line break", args: ["status", "--timeout", "5\nFAKE"], says: "5\\x0aFAKE" },
  { what: "help for a command that is not there", args: ["help", "nope"], says: "unknown command 'nope'" },
  { what: "an endpoint with port 0", args: ["check", "--endpoints", "http://x:0"], says: "--endpoints" },
  { what: "a registration without a port", args: ["register", "--service", "api"], says: "--port" },
  {
    what: "a weight that no node takes",
    args: ["register", "--service", "api", "--port", "1", "--weight", "300", "--", "true"],
    says: "--weight",
  },
  { what: "a user without a password", args: ["check", "--user", "root"], says: "--password-file" },
];

for (const { what, args, env, says } of USAGE_ERRORS) {
  Deno.test(`${what} is a usage error: exit code 2 and one line`, async () => {
    const result = await controller(args, env);
    assertEquals(result.code, 2);
    assertStringIncludes(result.stderr, says);
    assertMatch(result.stderr, /^etcd-haproxy: [^\n]+\n$/);
    assertEquals(result.stdout, "");
    assert(!result.stderr.includes("secret"));
  });
}

Deno.test("--help on every command prints flags with environment names and defaults", async () => {
  for (const command of ["run", "render", "check", "diff", "register"]) {
    const { code, stdout } = await controller([command, "--help"]);
    assertEquals(code, 0);
    assertEquals(stdout.split("\n").filter((line) => line.length > 80), []);
    assertMatch(
      stdout.replace(/\s+/g, " "),
      /--endpoints <urls> .*env ETCD_ENDPOINTS, default http:\/\/127\.0\.0\.1:2379/,
    );
  }
  const { stdout } = await controller(["help"]);
  assertEquals(stdout.split("\n").filter((line) => line.length > 80), []);
  for (const command of ["run", "render", "check", "diff", "register", "health", "version", "help"]) {
    assertStringIncludes(stdout, command);
  }
});

Deno.test("version prints the version of deno.json", async () => {
  const project = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  for (const args of [["version"], ["--version"], ["-V"]]) {
    assertEquals(await controller(args), { code: 0, stdout: `${project.version}\n`, stderr: "" });
  }
});

Deno.test("render prints the configuration of the registry, and the rejections beside it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await etcd.put("/services/web/a", "10.0.0.5:8080");
  await etcd.put("/services/web/b", "10.0.0.5");
  const { code, stdout, stderr } = await controller(["render", ...node.places]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "backend web\n    server a 10.0.0.5:8080 weight 100 check");
  assertMatch(stdout, /^# Managed by etcd-haproxy\n/);
  assertStringIncludes(stderr, "rejected /services/web/b: address is not host:port");
  assertEquals((await controller(["render", ...node.places])).stdout, stdout);
});

Deno.test("render, check, diff and run agree on the addresses that may be registered", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const admin = ["--admin-bind", `127.0.0.1:${node.adminPort}`];
  const networks = ["--server-networks", "127.0.0.0/8,10.0.0.0/8"];
  for (
    const [place, address] of Object.entries({
      "backend/good": one.address,
      "backend/stats": `127.0.0.1:${node.statsPort}`,
      "backend/admin": `[::ffff:127.0.0.1]:${node.adminPort}`,
      "backend/traffic": `127.0.0.1:${node.port}`,
      "backend/metadata": "169.254.169.254:80",
      "backend/name": "web.example:80",
    })
  ) await etcd.put(`/services/${place}`, address);
  const shown = await controller(["render", ...node.places, ...admin, ...networks]);
  assertEquals(shown.stdout.match(/^ +server \S+/gm), ["    server good"]);
  assertStringIncludes(
    shown.stderr,
    "rejected /services/backend/metadata: address 169.254.169.254 is outside",
  );
  assertStringIncludes(shown.stderr, "rejected /services/backend/name: host is a name");
  for (const [id, flag] of [["stats", "stats-bind"], ["admin", "admin-bind"], ["traffic", "bind"]]) {
    const line = shown.stderr.split("\n").find((line) => line.includes(`/backend/${id}:`)) ?? "";
    assertStringIncludes(line, `is this node's own listener (--${flag})`);
  }
  const checked = await controller(["check", ...node.places, ...admin, ...networks]);
  assertStringIncludes(checked.stdout, "1 services, 1 servers, 5 rejections");
  node.start({ args: networks });
  await node.untilAnswer("one");
  const { rejections } = await node.untilState("the pass", ({ readiness }) => readiness.ready);
  assertEquals(rejections.length, 5);
  const same = await controller(["diff", ...node.places, ...admin, ...networks, "--exit-code"]);
  assertMatch(same.stdout, /^revision \d+: nothing\n/);
  assertEquals(same.stdout.match(/rejected/g)?.length, 5);
});

Deno.test("check tells what is in order and what is not", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const good = await controller(["check", ...node.places]);
  assertEquals(good.code, 0);
  assertStringIncludes(good.stdout, "backend backend: plain");

  const template = `${node.dir}/template.eta`;
  await Deno.writeTextFile(template, "backend backend\n  mode http\n  balance first\n");
  const judged = await controller(["check", ...node.places, "--template", template]);
  assertStringIncludes(
    judged.stdout,
    "backend backend: changed by reloads only: balance first takes no dynamic servers",
  );

  await Deno.writeTextFile(template, "backend backend\n  bogus\n");
  const bad = await controller([
    "check",
    ...node.places,
    "--template",
    template,
    "--haproxy",
    "/nowhere/haproxy",
  ]);
  assertEquals(bad.code, 1);
  assertMatch(bad.stdout, /FAILED\s+haproxy\s+Cannot find \/nowhere\/haproxy/);
  const refused = await controller(["check", ...node.places, "--template", template]);
  assertEquals(refused.code, 1);
  assertMatch(refused.stdout, /FAILED\s+template\s+.*bogus/);

  await etcd.member(0).kill();
  const away = await controller(["check", ...node.places]);
  assertEquals(away.code, 1);
  assertMatch(away.stdout, /FAILED\s+etcd\s+Cannot read the registry: etcd cannot be reached at http/);
});

Deno.test("diff prints what run would change, changes nothing, and tells it by its exit code when asked", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const before = await controller(["diff", ...node.places, "--exit-code"]);
  assertEquals(before.code, 1);
  assertStringIncludes(before.stdout, "HAProxy does not run");

  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  const same = await controller(["diff", ...node.places, "--exit-code"]);
  assertEquals([same.code, same.stdout.replace(/\d+/, "N")], [0, "revision N: nothing\n"]);

  node.controller.freeze();
  await etcd.put("/services/backend/two", one.address);
  const differs = await controller(["diff", ...node.places]);
  assertEquals(differs.code, 0);
  const { kvs: [two] } = JSON.parse(await etcd.etcdctl("get", "/services/backend/two", "-w", "json"));
  assertStringIncludes(
    differs.stdout,
    `add server backend/two ${one.address} weight 100 check: asked for at revision ${two.mod_revision}`,
  );
  node.controller.resume();
  await node.untilServers("backend", ["one", "two"]);
});

Deno.test("health tells whether a controller lives", async () => {
  await using node = await testNode({ endpoints: ["http://127.0.0.1:1"] });
  const bind = ["--admin-bind", `127.0.0.1:${node.adminPort}`];
  const dead = await controller(["health", ...bind]);
  assertEquals(dead.code, 1);
  assertMatch(dead.stderr, /^Cannot reach the controller at http:[^\n]+\n$/);
  node.start();
  await node.untilState("an answer", () => true);
  const healthy = { code: 0, stdout: "", stderr: "" };
  assertEquals(await controller(["health", ...bind]), healthy);
  // As Docker sets it in every container when a client is configured so.
  const throughProxy = { http_proxy: "http://127.0.0.1:1", HTTP_PROXY: "http://127.0.0.1:1" };
  assertEquals(await controller(["health", ...bind], throughProxy), healthy);
});

Deno.test("secrets are in no log, state or environment of HAProxy", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  node.start({ env: { ETCD_PASSWORD: "correct-horse" }, args: ["--log-level", "debug"] });
  const state = await node.untilState("HAProxy", ({ haproxy }) => haproxy.kind === "up");
  assert(!JSON.stringify(state).includes("correct-horse"));
  assert(!node.controller.lines.some((line) => line.includes("correct-horse")));
  const environment = await Deno.readTextFile(`/proc/${state.haproxy.pid}/environ`);
  assert(!environment.includes("correct-horse"));
});
