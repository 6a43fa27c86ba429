/** Starts the local stack, says what to try with it, and stays until it is told to end (Ctrl-C). */
import { bold, dim, say } from "./local/terminal.ts";
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
  say(bold("etcd-haproxy: the local stack"));
  Deno.exit(await runStack({ backends: 3, onExit: "tell" }, stay));
}
