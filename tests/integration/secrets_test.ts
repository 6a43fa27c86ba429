import { assert, assertEquals } from "@std/assert";
import { ask } from "../../lib/haproxy/socket.ts";
import { controllerCommand, type TestNode, testNode } from "../support/node.ts";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { changePassword, protectEtcd, ROOT } from "../support/secured_etcd.ts";

const WRONG = "wr0ng-Secret-aa";
const FIRST = "f1rst-Secret-bb";
const SECOND = "sec0nd-Secret-cc";

/** Everything that can be seen of a running node, by where it is seen. */
async function visible(node: TestNode): Promise<Record<string, string>> {
  const { haproxy } = await node.state();
  const pids = [node.controller.pid, haproxy.pid, ...await workersOf(node)].filter((pid) =>
    pid !== undefined
  );
  const parts: Record<string, string> = {
    "log": node.controller.lines.join("\n"),
    "/api/state": JSON.stringify(await node.state()),
    "/metrics": await textOf(`http://127.0.0.1:${node.adminPort}/metrics`),
    "/readyz": await textOf(`http://127.0.0.1:${node.adminPort}/readyz`),
    "statistics": await textOf(`http://127.0.0.1:${node.statsPort}/`),
    "show env": await ask(node.runtimeSocket, "show env"),
    "configuration": await node.readConfig(),
  };
  for (const pid of pids) {
    parts[`cmdline of ${pid}`] = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    if (pid !== node.controller.pid) {
      parts[`environ of ${pid}`] = await Deno.readTextFile(`/proc/${pid}/environ`);
    }
  }
  // A file may be replaced between the listing and the reading.
  const files = await waitFor("all files of one moment", () => textsBelow(node.dir));
  return { ...parts, ...files };
}

async function textsBelow(dir: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for await (const path of filesBelow(dir)) texts[path] = await Deno.readTextFile(path);
  return texts;
}

async function workersOf({ masterSocket }: TestNode): Promise<number[]> {
  const table = await ask(masterSocket, "show proc;quit");
  return [...table.matchAll(/^(\d+)\s+worker/gm)].map(([, pid]) => Number(pid));
}

async function textOf(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

async function* filesBelow(dir: string): AsyncGenerator<string> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) yield* filesBelow(`${dir}/${name}`);
    if (isFile && name !== "password") yield `${dir}/${name}`;
  }
}

function assertNoSecret(parts: Record<string, string>): void {
  for (const [where, text] of Object.entries(parts)) {
    for (const secret of [WRONG, FIRST, SECOND]) {
      assert(!text.includes(secret), `${secret} is shown in ${where}`);
    }
  }
}

/** Runs another command of the program on the node, and returns all that it prints. */
async function outputOf(node: TestNode, { command, args, env }: {
  command: string;
  args: readonly string[];
  env: Record<string, string>;
}): Promise<string> {
  const { command: program, args: before } = controllerCommand();
  const { stdout, stderr } = await new Deno.Command(program, {
    args: [...before, command, ...node.places, ...args],
    env,
  }).output();
  return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
}

for (const how of ["--password-file", "ETCD_PASSWORD"]) {
  Deno.test(`a password by ${how} is seen nowhere, right or wrong`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await protectEtcd(etcd, { lb: FIRST });
    await using one = startOrigin("one");
    await etcd.etcdctl(...ROOT, "put", "/services/backend/one", one.address);
    await using node = await testNode({ endpoints: etcd.endpoints });
    const file = `${node.dir}/password`;
    const isFile = how === "--password-file";
    const access = (password: string) => {
      if (isFile) Deno.writeTextFileSync(file, `${password}\n`);
      const env: Record<string, string> = {
        LOG_LEVEL: "debug",
        ...(isFile ? {} : { ETCD_PASSWORD: password }),
      };
      return { args: ["--user", "lb", ...(isFile ? [how, file] : [])], env };
    };
    const commands = async (password: string) => {
      const given = access(password);
      for (const command of ["render", "check", "diff"]) {
        const refusal = "Cannot read the registry: etcd refuses user lb: wrong name or password";
        // A busy etcd may not find the time to check a password.
        await waitFor(`the answer of ${command}`, async () => {
          const output = await outputOf(node, { command, ...given });
          assertNoSecret({ [command]: output });
          return output.includes(refusal) === (password === WRONG);
        }, { deadlineMs: 120_000 });
      }
    };

    const first = node.start(access(WRONG));
    await node.untilState("the refusal", ({ etcd, haproxy }) => {
      return etcd.reason === "etcd refuses user lb: wrong name or password" && haproxy.kind === "up";
    });
    assertNoSecret(await visible(node));
    await commands(WRONG);

    if (isFile) {
      access(FIRST);
    } else {
      await first.stop({ deadlineMs: 15_000 });
      node.start(access(FIRST));
    }
    await node.untilAnswer("one");
    if (isFile) {
      await changePassword(etcd, "lb", SECOND);
      access(SECOND);
      await etcd.etcdctl(...ROOT, "put", "/services/backend/two", one.address);
      await node.untilServers("backend", ["one", "two"]);
      await node.untilLine(/etcd credentials renewed/);
    }
    assertNoSecret(await visible(node));
    await commands(isFile ? SECOND : FIRST);
  });
}

Deno.test("sockets are 0600, their directory is 0700, and the configuration is not for everybody to write", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  const modeOf = async (path: string) => ((await Deno.lstat(path)).mode ?? 0) & 0o777;
  assertEquals(await modeOf(`${node.dir}/state`), 0o700);
  let sockets = 0;
  for await (const { name } of Deno.readDir(`${node.dir}/state`)) {
    const path = `${node.dir}/state/${name}`;
    if (!(await Deno.lstat(path)).isSocket) continue;
    sockets++;
    assertEquals(await modeOf(path), 0o600, name);
  }
  assert(sockets >= 2, `${sockets} sockets`);
  assertEquals(await modeOf(node.configPath) & 0o022, 0);
});
