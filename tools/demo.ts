/**
 * Shows the whole path on this machine: etcd, two load-balancer nodes and backends that come and go, under traffic.
 *
 * Exit codes: 0 the demo passed, 1 a request failed that must not or something broke, 2 wrong usage,
 * 128 + n signal n (130: Ctrl-C).
 */
import { sayTable } from "./demo/report.ts";
import { Story } from "./demo/story.ts";
import { bold, say } from "./local/terminal.ts";
import { readLayout } from "./stack/command_line.ts";
import { exitWith } from "./stack/main_program.ts";
import { runStack } from "./stack/run_stack.ts";
import type { Stack } from "./stack/stack.ts";

async function play(stack: Stack): Promise<number> {
  const started = performance.now();
  await using story = new Story(stack);
  await story.spread();
  await story.scaleUp(3);
  await story.scaleDown(1);
  await story.scaleUp(3);
  await story.killBackend();
  await story.killEtcdMember();
  return sayTable(story.results, performance.now() - started) ? 0 : 1;
}

if (import.meta.main) {
  const layout = readLayout("deno task demo", "Shows the whole path on this machine, under traffic.");
  say(bold("etcd-haproxy: a demo on this machine"));
  await exitWith(runStack({ backends: 2, onExit: "stop", layout }, play));
}
