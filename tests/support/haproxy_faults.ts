import { showProcesses } from "../../lib/haproxy/master_cli.ts";
import { ask } from "../../lib/haproxy/socket.ts";
import type { ProblemKind } from "../../lib/node/problems.ts";
import { waitFor } from "../../tools/local/wait.ts";
import type { NodeState, TestNode } from "./node.ts";
import type { Stage } from "./stage.ts";

/** Whether a node lists this problem in its state. */
export function hasProblem(kind: ProblemKind, reason = ""): (state: NodeState) => boolean {
  return ({ problems }) =>
    problems.some((problem) => problem.kind === kind && problem.reason.includes(reason));
}

/** Whether a node lists this problem and is ready all the same. */
export function readyWithProblem(kind: ProblemKind, reason = ""): (state: NodeState) => boolean {
  return (state) => state.readiness.ready && hasProblem(kind, reason)(state);
}

/** Whether a node lists this problem and is not ready for it. */
export function notReadyWithProblem(kind: ProblemKind, reason = ""): (state: NodeState) => boolean {
  return (state) => !state.readiness.ready && hasProblem(kind, reason)(state);
}

/** The process ids of a node's HAProxy. */
export async function haproxyPids(node: TestNode): Promise<{ master: number; worker: number }> {
  const { masterPid, workers } = await showProcesses(node.masterSocket);
  const [worker] = workers;
  if (worker === undefined) throw new Error("Cannot find the worker: HAProxy has none");
  return { master: masterPid, worker: worker.pid };
}

/** Freezes a process of HAProxy for the rest of the stage, or until it is resumed. */
export function freeze(stage: Stage, pid: number): { goOn(): void } {
  Deno.kill(pid, "SIGSTOP");
  const goOn = () => {
    try {
      Deno.kill(pid, "SIGCONT");
    } catch {
      // It has ended.
    }
  };
  // A frozen process does not heed SIGTERM.
  stage.closing.defer(goOn);
  return { goOn };
}

/** A template of its own, beside the node's configuration. */
export interface TemplateFile {
  readonly path: string;
  /** Writes the embedded template with this text behind it, and has the controller look at it. */
  append(text: string): Promise<void>;
}

/** Starts the node with a template file, and clients. */
export async function startWithTemplate(stage: Stage, args: readonly string[] = []): Promise<TemplateFile> {
  const path = `${stage.node.dir}/template.eta`;
  const embedded = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  await Deno.writeTextFile(path, embedded);
  await startNode(stage, ["--template", path, ...args]);
  return {
    path,
    append: async (text) => {
      await Deno.writeTextFile(path, `${embedded}\n${text}\n`);
      stage.node.controller.kill("SIGHUP");
    },
  };
}

/** Starts the node with further arguments, and clients when it is right. */
export async function startNode(stage: Stage, args: readonly string[]): Promise<void> {
  stage.node.start({ args });
  await stage.untilRight();
  await stage.startLoad();
}

/** Makes a directory for the configuration alone; returns the arguments that have the node use it. */
export async function ownConfigDir(node: TestNode): Promise<{ dir: string; args: string[] }> {
  const dir = `${node.dir}/conf`;
  await Deno.mkdir(dir);
  return { dir, args: ["--config", `${dir}/haproxy.cfg`] };
}

/** Mounts something for the rest of the stage, or until it is unmounted. */
export async function mount(
  stage: Stage,
  args: readonly string[],
): Promise<{ unmount(): Promise<void> }> {
  const target = args.at(-1) ?? "";
  await runOk("mount", args);
  let isMounted = true;
  const unmount = async () => {
    if (!isMounted) return;
    await runOk("umount", ["-l", target]);
    isMounted = false;
  };
  stage.closing.defer(unmount);
  return { unmount };
}

/** Writes a file that leaves no room on its disk. */
export async function fillDisk(path: string): Promise<void> {
  await Deno.writeTextFile(path, "");
  try {
    for (;;) await Deno.writeTextFile(path, "x".repeat(4_096), { append: true });
  } catch (error) {
    if (!String(error).includes("os error 28")) throw error;
  }
}

/** Starts the node's controller and waits until its process answers, whatever is wrong. */
export async function startAlive(node: TestNode, args?: readonly string[]): Promise<void> {
  node.start(args === undefined ? {} : { args });
  await waitFor("a controller that lives", async () => {
    const response = await fetch(`http://127.0.0.1:${node.adminPort}/healthz`);
    await response.body?.cancel();
    return response.ok;
  }, { deadlineMs: 30_000 });
}

/** Waits until a file is there. */
export async function untilThere(path: string): Promise<void> {
  await waitFor(path, () => Deno.lstat(path).then(() => true, () => false));
}

/** Runs a command to its end. @throws {Error} when it fails */
export async function runOk(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
  if (success) return;
  throw new Error(`Cannot ${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** Makes a socket file without a listener. Deno removes the file of a listener that it closes, unless that has moved. */
export async function leaveSocket(path: string): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${path}.moved` });
  await Deno.rename(`${path}.moved`, path);
  listener.close();
}

/** Makes HAProxy say 200 kB, several times what a pipe holds: two lines for each of 1,000 times that a server goes and comes. */
export async function makeHaproxyTalk(node: TestNode, server: string): Promise<void> {
  const downAndUp = `disable server ${server};enable server ${server};`.repeat(100);
  for (let i = 0; i < 10; i++) await ask(node.runtimeSocket, downAndUp);
}
