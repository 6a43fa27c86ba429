import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { findProgram, type LocalProcess, startProcess, tempDir, waitFor } from "../support/mod.ts";
import { removeDir } from "../../tools/local/temp_dir.ts";
import { ProcessFamily } from "../support/process_family.ts";

const PROJECT_DIR = fileURLToPath(new URL("../../", import.meta.url));
const UP = `'${Deno.execPath()}' task --quiet up --any-ports`;
const CTRL_C = Uint8Array.of(0x03);
const SCRIPT = findProgram("script");
const SETPRIV = findProgram("setpriv");

/** What `up` runs: three members of etcd, two controllers, an HAProxy of two processes for each, three backends. */
const PROCESSES_OF_STACK = 3 + 2 + 4 + 3;
const START = { deadlineMs: 120_000, everyMs: 100 };
const END = { deadlineMs: 60_000, everyMs: 100 };

/** A shell on a terminal of its own that runs `up` at the beginning of a pipeline, and writes its exit code to a file. */
function startOnTerminal(rest: string, dir: string) {
  // The shells live on after Ctrl-C, to tell; a signal that is trapped does to their children what it always does.
  const words = `trap : INT; (trap : INT; ${UP}; echo $? > ${dir}/code) | ${rest}`;
  const child = new Deno.Command(SCRIPT ?? "", {
    args: ["-qfec", words, `${dir}/seen`],
    cwd: PROJECT_DIR,
    env: { TERM: "xterm", SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const keyboard = child.stdin.getWriter();
  return {
    child,
    family: new ProcessFamily(child.pid),
    type: (keys: Uint8Array) => keyboard.write(keys),
    async [Symbol.asyncDispose]() {
      await child.status;
      await keyboard.close().catch(() => {});
    },
  };
}

async function untilRuns(family: ProcessFamily, command: RegExp, count: number): Promise<void> {
  const runs = async () => (await family.look()).filter((line) => command.test(line)).length >= count;
  await waitFor(`${count} of ${command}`, runs, START);
}

async function untilNothingIsLeft(family: ProcessFamily): Promise<void> {
  await waitFor("the end of all processes", async () => {
    await family.look();
    const left = await family.left();
    if (left.length > 0) throw new Error(left.join("\n"));
    return true;
  }, END);
}

async function codeIn(dir: string): Promise<number> {
  return Number(await Deno.readTextFile(`${dir}/code`));
}

Deno.test({
  name: "up | tee: Ctrl-C, which ends tee at once, leaves no process and no port",
  ignore: SCRIPT === undefined,
  fn: async () => {
    await using dir = await tempDir();
    const log = `${dir.path}/log`;
    await using terminal = startOnTerminal(`tee ${log}`, dir.path);
    await using family = terminal.family;
    const isReady = async () => (await Deno.readTextFile(log)).includes("Ctrl-C stops everything");
    await waitFor("the stack", isReady, START);
    await untilRuns(family, /etcd|haproxy|main\.ts/, PROCESSES_OF_STACK);
    await terminal.type(CTRL_C);
    await untilNothingIsLeft(family);
    assertEquals(await codeIn(dir.path), 0);
  },
});

Deno.test({
  name:
    "up | head: a reader that goes away while the stack starts ends it, and leaves no process and no port",
  ignore: SCRIPT === undefined,
  fn: async () => {
    await using dir = await tempDir();
    // The third line says that etcd runs.
    await using terminal = startOnTerminal("head -3", dir.path);
    await using family = terminal.family;
    await untilRuns(family, /etcd --name/, 3);
    await untilNothingIsLeft(family);
    assertEquals(await codeIn(dir.path), 141);
  },
});

Deno.test({
  name: "up: a terminal that is closed leaves no process and no port",
  ignore: SCRIPT === undefined,
  fn: async () => {
    await using dir = await tempDir();
    await using terminal = startOnTerminal("cat", dir.path);
    await using family = terminal.family;
    await untilRuns(family, /haproxy -W/, 2);
    terminal.child.kill("SIGKILL");
    await untilNothingIsLeft(family);
  },
});

/** Starts `up` with a full pipe as its standard output, which is not read. */
function startUnread(dir: string): LocalProcess {
  const fifo = `${dir}/out`;
  const fill = `dd if=/dev/zero of=${fifo} bs=64K count=1 oflag=nonblock 2>/dev/null`;
  const command = `'${Deno.execPath()}' run -A tools/up.ts --any-ports`;
  return startProcess({
    name: "up",
    command: "/bin/sh",
    args: ["-c", `mkfifo ${fifo}; exec 1<>${fifo}; ${fill}; exec ${command}`],
    cwd: PROJECT_DIR,
  });
}

Deno.test("up: a reader that never reads holds up neither the start nor the end", async () => {
  await using dir = await tempDir();
  await using up = startUnread(dir.path);
  await using family = new ProcessFamily(up.pid);
  await untilRuns(family, /etcd --name/, 3);
  up.kill("SIGINT");
  await untilNothingIsLeft(family);
  assertEquals((await up.status).code, 130);
});

Deno.test({
  name: "up: killed, it leaves no process and no port either",
  ignore: SETPRIV === undefined,
  fn: async () => {
    await using dir = await tempDir();
    await using up = startUnread(dir.path);
    await using family = new ProcessFamily(up.pid);
    await untilRuns(family, /haproxy -W/, 2);
    up.kill("SIGKILL");
    await untilNothingIsLeft(family);
    // Its files are all that it leaves.
    const [stackDir] = /\/\S*\/eh-stack-\w+/.exec(family.commandLines.join("\n")) ?? [];
    assert(stackDir !== undefined);
    await removeDir(stackDir);
  },
});
