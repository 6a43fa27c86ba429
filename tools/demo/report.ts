import type { LoadCounts } from "../local/load_counts.ts";
import { bold, dim, green, red, say } from "../local/terminal.ts";
import { failuresNotAllowed, type Result } from "./result.ts";

const HEADS = ["lb1 ms", "lb2 ms", "requests", "failures", "slowest ms"] as const;
const TITLE_WIDTH = 44;

/** Writes the headline of a chapter. */
export function sayHeadline(number: number, title: string): void {
  say();
  say(bold(`${number}  ${title}`));
}

/** Writes one line inside a chapter. */
export function sayNote(text: string): void {
  say(`   ${text}`);
}

/** Writes the requests and failures of a chapter. */
export function sayCounts(result: Result): void {
  const { requests } = result.chapter.all;
  sayNote(`${thousands(requests)} requests, ${describeFailures(result)}`);
}

/** Writes the table of all chapters and the verdict; returns whether the demo passed. */
export function sayTable(results: readonly Result[], tookMs: number): boolean {
  say();
  say(bold(row("Milliseconds until clients saw each change", HEADS)));
  for (const result of results) say(row(result.title, cells(result)));
  const requests = results.reduce((sum, { chapter }) => sum + chapter.all.requests, 0);
  const failed = results.reduce((sum, { chapter }) => sum + chapter.all.failed, 0);
  const refused = results.reduce((sum, result) => sum + failuresNotAllowed(result), 0);
  say(
    dim(
      "Counted from the moment an etcd watch showed the change (a kill: from the kill) to the first answer",
    ),
  );
  say(dim("from the new backend, or the last one from the removed backend, through each node."));
  say();
  const text = `${thousands(requests)} requests in ${Math.round(tookMs / 1_000)} s, ${failed} failed`;
  if (refused === 0) say(green(failed === 0 ? text : `${text}: in flight at the backend that was killed`));
  else say(red(`${text}, ${refused} of them must not fail`));
  return refused === 0;
}

function row(title: string, values: readonly string[]): string {
  const columns = values.map((value, index) => value.padStart((HEADS[index] ?? "").length + 2));
  return `${title.padEnd(TITLE_WIDTH)}${columns.join("")}`;
}

function cells({ chapter, reachedMs }: Result): string[] {
  const reached = [...chapter.targets.keys()].map((node) => {
    const ms = reachedMs?.get(node);
    return ms === undefined ? "-" : String(Math.round(ms));
  });
  const { requests, failed, slowestMs } = chapter.all;
  return [...reached, thousands(requests), String(failed), String(Math.round(slowestMs))];
}

function describeFailures(result: Result): string {
  const { failed, kinds } = result.chapter.all;
  if (failed === 0) return green("no failures");
  const list = [...kinds].map(([kind, count]) => `${count} ${kind}`).join(", ");
  const text = `${failed} failures: ${list}`;
  return failuresNotAllowed(result) === 0 ? `${text} (in flight at the kill, allowed)` : red(text);
}

/** Each backend's share of these answers, by name. */
export function shareText(counts: ReadonlyMap<string, number>): string {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    .map(([backend, count]) => `${backend} ${Math.round(100 * count / total)} %`).join("   ");
}

/** How many answers each backend has given so far. */
export function answersOf(counts: LoadCounts): Map<string, number> {
  return new Map([...counts.sightings].map(([backend, { answers }]) => [backend, answers]));
}

function thousands(count: number): string {
  return count.toLocaleString("en");
}
