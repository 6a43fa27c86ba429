/**
 * Starts the local stack, prints what to try with it, and runs until Ctrl-C.
 *
 * Exit codes: 0 after Ctrl-C, 1 something broke, 2 wrong usage, 128 + n signal n while it started (130: Ctrl-C).
 */
import { bold, dim, say } from "./local/terminal.ts";
import { readLayout } from "./stack/command_line.ts";
import { exitWith } from "./stack/main_program.ts";
import { runStack } from "./stack/run_stack.ts";
import type { Stack } from "./stack/stack.ts";

async function stay(stack: Stack): Promise<number> {
  const { signal } = stack.context;
  sayWhatToTry(stack);
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve());
    if (signal.aborted) resolve();
  });
  say();
  return 0;
}

function sayWhatToTry(stack: Stack): void {
  const endpoints = stack.etcd.endpoints.join();
  const [first] = stack.backends;
  const examples = [
    ["Requests", ...stack.nodes.map((node) => `curl ${node.trafficUrl}`)],
    ["What is registered", `ETCDCTL_API=3 etcdctl --endpoints ${endpoints} get --prefix /services/`],
    ["What a node serves", ...stack.nodes.map((node) => `curl -s ${node.adminUrl}/api/state`)],
    ["Statistics, in a browser", ...stack.nodes.map((node) => node.statsUrl)],
    ["Metrics", ...stack.nodes.map((node) => `curl -s ${node.adminUrl}/metrics`)],
    ["A backend leaves", `kill ${first?.process.pid}`],
  ];
  for (const [title = "", ...lines] of examples) {
    say();
    say(bold(title));
    for (const line of lines) say(`  ${line}`);
  }
  say();
  say(dim("Ctrl-C stops everything."));
}

if (import.meta.main) {
  const layout = readLayout("deno task up", "Starts the local stack, and runs until Ctrl-C.");
  say(bold("etcd-haproxy: the local stack"));
  await exitWith(runStack({ backends: 3, onExit: "tell", layout }, stay));
}
