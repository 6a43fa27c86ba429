import { escapeText } from "../util/escape.ts";
import type { NodeStatus, NodesView, NodeView } from "../ack/keys.ts";

const UNLEASED = "has keys without a lease: it counts as alive until they are deleted";

/** A longer text would push the other columns off the screen. */
const MAX_CELL = 40;

/** What nodes report, by column. */
const COLUMNS: Readonly<Record<string, (status: NodeStatus, now: number) => string>> = {
  LAG: ({ lagMs }) => `${lagMs} ms`,
  UP: ({ servers }) => `${servers.up}/${servers.total}`,
  PLAN: ({ plan }) => plan,
  TOOK: ({ tookMs }) => `${tookMs} ms`,
  REJECTED: ({ rejections }) => `${rejections}`,
  HELD: ({ held }) => `${held}`,
  DRAINING: ({ draining }) => `${draining.length}`,
  STALE: ({ stale }) => stale ? "yes" : "no",
  AGE: ({ at }, now) => ageText(now - Date.parse(at)),
  VERSION: ({ version }) => escapeText(version, MAX_CELL),
};

/**
 * All nodes as a table, a line each, and below it the keys that cannot be read. Text of nodes is escaped.
 *
 * @param now wall-clock milliseconds, for the age of a status
 */
export function nodesTable({ nodes, bad }: NodesView, now: number): string[] {
  const rows = [["NODE", "REVISION", ...Object.keys(COLUMNS)], ...nodes.map((node) => cells(node, now))];
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  return [
    ...rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd()),
    ...(nodes.length === 0 ? ["no node is alive"] : []),
    ...nodes.flatMap(({ node, status }) => drainingLines(node, status)),
    ...nodes.filter(({ hasLease }) => !hasLease).map(({ node }) => `${escapeText(node)} ${UNLEASED}`),
    ...bad.map(({ key, reason }) => `cannot read ${escapeText(key)}: ${escapeText(reason)}`),
  ];
}

function cells({ node, applied, status }: NodeView, now: number): string[] {
  const reported = Object.values(COLUMNS).map((cell) => status === undefined ? "?" : cell(status, now));
  return [escapeText(node), applied === undefined ? "-" : `${applied}`, ...reported];
}

function drainingLines(node: string, status: NodeStatus | undefined): string[] {
  if (status === undefined || status.draining.length === 0) return [];
  return [`${escapeText(node)} drains ${status.draining.map((server) => escapeText(server)).join(", ")}`];
}

/** A time in the largest unit that fits. It is never below 0: the clocks of two machines may differ. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** The nodes as plain data, for JSON. Revisions are numbers, as in all output. */
export function nodesJson({ nodes, bad }: NodesView): Record<string, unknown> {
  return {
    nodes: nodes.map(({ node, applied, status, hasLease }) => ({
      node,
      applied: applied === undefined ? null : Number(applied),
      status: status === undefined ? null : { ...status, revision: Number(status.revision) },
      hasLease,
    })),
    bad: bad.map(({ key, reason }) => ({ key: escapeText(key), reason: escapeText(reason) })),
  };
}

/** Why a node has not passed a revision, in words. */
export function behindText({ node, applied, status }: NodeView, revision: bigint, server?: string): string {
  const name = escapeText(node);
  if (applied === undefined) return `${name} has applied no revision yet`;
  if (applied < revision) return `${name} has applied revision ${applied}`;
  if (status === undefined) return `${name} does not report what it drains`;
  return `${name} still has requests for ${escapeText(server ?? "it")}`;
}
