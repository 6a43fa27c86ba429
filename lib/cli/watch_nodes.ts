import { escapeText } from "../util/escape.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { type EtcdEvent, followEtcd } from "../etcd/follow.ts";
import type { FullRead } from "../etcd/read.ts";
import { parseNodes } from "../ack/keys.ts";
import { nodesTable } from "./nodes_table.ts";
import { createBell } from "../util/bell.ts";
import { sleep } from "../util/time.ts";
import { listenForStop } from "./signals.ts";

/** Changes that come together are shown once. */
const QUIET_MS = 100;
/** On a terminal the ages are kept up to date. */
const TERMINAL_TICK_MS = 1_000;
/** Elsewhere nothing is printed when only time has passed. */
const NO_TICK_MS = 3_600_000;

/** Shows all nodes at every change until SIGINT or SIGTERM: on a terminal in place, else one table below the other. */
export async function watchNodes(client: EtcdClient, nodesPrefix: string): Promise<number> {
  const { stop } = listenForStop();
  const isTerminal = Deno.stdout.isTerminal();
  const show = isTerminal ? showInPlace : createChangeLog();
  const bell = createBell();
  let read: FullRead | undefined;
  let problem: string | undefined;
  const followed = followEtcd({
    client,
    prefixes: [nodesPrefix],
    onChange: (state) => {
      read = state;
      bell.ring();
    },
    onEvent: (event) => {
      problem = problemOf(event, problem);
      bell.ring();
    },
    signal: stop,
  });
  if (isTerminal) write(ALTERNATE_SCREEN);
  while (!stop.aborted) {
    const table = read === undefined
      ? []
      : nodesTable(parseNodes(read.entries.values(), nodesPrefix), Date.now());
    const lines = problem === undefined ? table : [...table, `etcd: ${escapeText(problem)}`];
    if (lines.length > 0) show(lines);
    await bell.wait(isTerminal ? TERMINAL_TICK_MS : NO_TICK_MS, stop);
    await sleep(QUIET_MS, stop);
  }
  if (isTerminal) write(FORMER_SCREEN);
  await followed;
  return 0;
}

function problemOf(event: EtcdEvent, before: string | undefined): string | undefined {
  if (event.kind === "connecting" || event.kind === "watch-ended") return event.reason;
  return event.kind === "watching" ? undefined : before;
}

/** Prints each table that differs from the last one. */
function createChangeLog(): (lines: readonly string[]) => void {
  let last = "";
  return (lines) => {
    const text = lines.join("\n");
    if (text === last) return;
    write(`${last === "" ? "" : "\n"}${text}\n`);
    last = text;
  };
}

/** The alternate screen of the terminal (xterm control sequences); the former content is back at the end. */
const ALTERNATE_SCREEN = "\x1b[?1049h\x1b[?25l";
const FORMER_SCREEN = "\x1b[?25h\x1b[?1049l";

function showInPlace(lines: readonly string[]): void {
  const { columns, rows } = Deno.consoleSize();
  // A terminal that does not know its size says 0.
  const fitting = lines.slice(0, (rows || Infinity) - 1).map((line) => line.slice(0, columns || Infinity));
  // One write from the upper left corner, each line cleared after its text, so that nothing flickers.
  write(`\x1b[H${fitting.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}
