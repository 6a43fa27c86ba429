import { createHash } from "node:crypto";
import { withoutComment } from "./config_line.ts";
import { isServerLine, judgeBackends, type Section, sectionsOf } from "./config_section.ts";

/** One `server` line of a plain backend. */
export interface ServerLine {
  readonly name: string;
  /** All that stands behind the name: the same words serve the file and `add server`. */
  readonly params: string;
}

/** Server lines by the name of their backend. */
export type ServerLines = ReadonlyMap<string, readonly ServerLine[]>;

/**
 * A configuration in the two parts that fail separately: the `server` lines of plain backends, and all else. Two texts
 * with the same base differ in servers only.
 */
export interface ConfigText {
  readonly base: string;
  readonly servers: ServerLines;
}

/** The environment variable by which a running worker tells the base that it was started from. */
export const BASE_VARIABLE = "ETCD_HAPROXY_BASE";

const MARK = new RegExp(`^\\s*setenv ${BASE_VARIABLE} [0-9a-f]+\\s*$`);

/** Splits a text into base and servers. The mark that `joinConfig` adds is dropped. */
export function splitConfig(text: string): ConfigText {
  const sections = sectionsOf(text);
  const judged = judgeBackends(sections);
  const servers = new Map<string, ServerLine[]>();
  const base = sections.map((section): Section => {
    if (judged.get(section)?.plain !== true) {
      return {
        ...section,
        lines: section.lines.filter((line) => !MARK.test(line)),
      };
    }
    servers.set(section.name, section.lines.filter(isServerLine).map(serverLine));
    return { ...section, lines: section.lines.filter((line) => !isServerLine(line)) };
  });
  return { base: baseText(base), servers };
}

/**
 * The text of a base. Blank lines stand in front of sections and nowhere else: what a template's loops leave behind would otherwise make the
 * base depend on the number of servers.
 */
export function baseText(sections: readonly Section[]): string {
  const paragraphs: string[][] = [];
  let introduction: string[] = [];
  for (const { keyword, lines } of sections) {
    const filled = lines.map((line) => line.trimEnd()).filter((line) => line !== "");
    const body = filled.slice(0, filled.findLastIndex((line) => !isComment(line)) + 1);
    if (keyword !== "" || body.length > 0) paragraphs.push([...introduction, ...body]);
    // Comments right in front of a section belong to it, not to the one before.
    introduction = keyword === "" && body.length === 0 ? filled : filled.slice(body.length);
  }
  return `${
    [...paragraphs, introduction].map((lines) => lines.join("\n")).filter((text) => text !== "").join("\n\n")
  }\n`;
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

function serverLine(line: string): ServerLine {
  const match = /^\s*server[ \t]+(\S+)[ \t]*(.*)$/.exec(withoutComment(line));
  return { name: match?.[1] ?? "", params: match?.[2] ?? "" };
}

/** The SHA-256 of a base, in hex. */
export function baseDigest(base: string): string {
  return createHash("sha256").update(base).digest("hex");
}

/**
 * Writes a configuration as text: servers at the end of their section, and the base's digest in the `global` section at
 * the end. Splitting the result gives the same parts again. Servers whose backend the base does not have, or has as one
 * that is not plain, are left out; see `missingBackends`.
 */
export function joinConfig(config: ConfigText): string {
  const known = joinedTexts.get(config);
  if (known !== undefined) return known;
  const text = joinedLines(config).map(({ line }) => line).join("\n");
  joinedTexts.set(config, text);
  return text;
}

/** A pass asks for the same large text several times. */
const joinedTexts = new WeakMap<ConfigText, string>();

/** The server that stands on a line of `joinConfig`'s text; lines count from 1. */
export function serverAtLine(
  config: ConfigText,
  lineNumber: number,
): { backend: string; server: string } | undefined {
  return joinedLines(config)[lineNumber - 1]?.origin;
}

/** Backends that have servers in `servers` but no plain section in `base`. */
export function missingBackends(config: ConfigText): string[] {
  const plain = plainBackends(config.base);
  return [...config.servers].filter(([name, lines]) => lines.length > 0 && !plain.has(name)).map(([name]) =>
    name
  );
}

/** The parts of a configuration that fit each other: servers of missing backends are dropped, empty backends added. */
export function fitted(config: ConfigText): ConfigText {
  const plain = plainBackends(config.base);
  return {
    base: config.base,
    servers: new Map([...plain].map((name) => [name, config.servers.get(name) ?? []])),
  };
}

function plainBackends(base: string): Set<string> {
  const names = [...judgeBackends(sectionsOf(base))]
    .filter(([section, { plain }]) => plain && !section.lines.some(isServerLine))
    .map(([section]) => section.name);
  return new Set(names);
}

interface JoinedLine {
  readonly line: string;
  readonly origin?: { readonly backend: string; readonly server: string };
}

function joinedLines(config: ConfigText): JoinedLine[] {
  const sections = sectionsOf(config.base);
  const judged = judgeBackends(sections);
  const lines = sections.flatMap((section) => {
    const own = section.lines.map((line): JoinedLine => ({ line }));
    const isPlain = judged.get(section)?.plain === true && !section.lines.some(isServerLine);
    return isPlain ? withServers(own, section.name, config.servers.get(section.name) ?? []) : own;
  });
  const last = lines.findLastIndex(({ line }) => line.trim() !== "");
  const mark = { line: `    setenv ${BASE_VARIABLE} ${baseDigest(config.base)}` };
  return [...lines.slice(0, last + 1), mark, ...lines.slice(last + 1)];
}

function withServers(lines: JoinedLine[], backend: string, servers: readonly ServerLine[]): JoinedLine[] {
  const last = lines.findLastIndex(({ line }) => line.trim() !== "" && !isComment(line));
  const added = servers.map(({ name, params }) => ({
    line: `    server ${name} ${params}`,
    origin: { backend, server: name },
  }));
  return [...lines.slice(0, last + 1), ...added, ...lines.slice(last + 1)];
}
