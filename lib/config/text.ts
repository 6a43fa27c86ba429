import { createHash } from "node:crypto";
import { withoutComment } from "./line.ts";
import { memoByObject, memoByText } from "../util/memo.ts";
import { isServerLine, judgeBackends, type Section, sectionsOf } from "./section.ts";

/** One `server` line of a plain backend. */
export interface ServerLine {
  readonly name: string;
  /** All words behind the name. The file and `add server` use the same. */
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

/** As many server lines as a large registry has. */
const REMEMBERED_LINES = 50_000;

const MARK = new RegExp(`^\\s*setenv ${BASE_VARIABLE} [0-9a-f]+\\s*$`);

/** Splits a text into base and servers. The mark that `joinConfig` adds is dropped. */
export function splitConfig(text: string): ConfigText {
  const sections = sectionsOf(text);
  const judged = judgeBackends(sections);
  const servers = new Map<string, ServerLine[]>();
  const base = sections.map((section): Section => {
    const isPlain = judged.get(section)?.plain === true;
    if (isPlain) servers.set(section.name, section.lines.filter(isServerLine).map(serverLine));
    const isOther = isPlain ? isServerLine : (line: string) => MARK.test(line);
    return { ...section, lines: section.lines.filter((line) => !isOther(line)) };
  });
  return { base: baseText(base), servers };
}

/**
 * The text of a base. Blank lines are in front of sections and nowhere else. Otherwise the blank lines of a template's
 * loops would make the base depend on the number of servers.
 */
export function baseText(sections: readonly Section[]): string {
  return `${paragraphsOf(sections).map(({ lines }) => lines.join("\n")).join("\n\n")}\n`;
}

/** The lines between two blank lines of a base, and the section that they hold, if they hold one. */
interface Paragraph {
  readonly section: Section | undefined;
  readonly lines: readonly string[];
}

function paragraphsOf(sections: readonly Section[]): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  // Comments right in front of a section belong to it, not to the section before.
  let introduction: string[] = [];
  for (const section of sections) {
    const filled = section.lines.map((line) => line.trimEnd()).filter((line) => line !== "");
    const end = filled.findLastIndex((line) => !isComment(line)) + 1;
    if (end > 0) paragraphs.push({ section, lines: [...introduction, ...filled.slice(0, end)] });
    introduction = end > 0 ? filled.slice(end) : [...introduction, ...filled];
  }
  return introduction.length === 0
    ? paragraphs
    : [...paragraphs, { section: undefined, lines: introduction }];
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

/** One object for equal lines, so that the next pass finds the memos of it again. */
const serverLine = memoByText((line): ServerLine => {
  const match = /^\s*server[ \t]+(\S+)[ \t]*(.*)$/.exec(withoutComment(line));
  return { name: match?.[1] ?? "", params: match?.[2] ?? "" };
}, REMEMBERED_LINES);

/** The SHA-256 of a base, in hex. */
export const baseDigest = memoByText((base) => createHash("sha256").update(base).digest("hex"), 8);

/**
 * Writes a configuration as text: servers at the end of their section, and the base's digest in the `global` section at
 * the end. Splitting the result gives the same parts again. Servers whose backend the base does not have, or has as one
 * that is not plain, are left out; see `missingBackends`.
 */
export const joinConfig = memoByObject(({ base, servers }: ConfigText): string => {
  const parts = partsOf(base).map(({ text, plain }) => {
    if (plain === undefined) return text;
    return text + (servers.get(plain) ?? []).map(lineText).join("");
  });
  return `${parts.join("\n\n")}\n${markLine(base)}\n`;
});

/** A server as a line of the text, behind the line before. */
const lineText = memoByObject(({ name, params }: ServerLine) => `\n    server ${name} ${params}`);

/** The server on a line of `joinConfig`'s text; lines count from 1. */
export function serverAtLine(
  { base, servers }: ConfigText,
  lineNumber: number,
): { backend: string; server: string } | undefined {
  let at = 0;
  for (const { text, plain } of partsOf(base)) {
    at += text.split("\n").length;
    const lines = plain === undefined ? [] : servers.get(plain) ?? [];
    const server = lines[lineNumber - at - 1];
    if (plain !== undefined && server !== undefined && lineNumber > at) {
      return { backend: plain, server: server.name };
    }
    // The blank line in front of the next section.
    at += lines.length + 1;
  }
  return undefined;
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
  return new Set(partsOf(base).flatMap(({ plain }) => plain === undefined ? [] : [plain]));
}

/** A section of a base without its trailing blank line; the name of the backend if it is plain. */
interface BasePart {
  readonly text: string;
  readonly plain: string | undefined;
}

const partsOf = memoByText((base): readonly BasePart[] => {
  const sections = sectionsOf(base);
  const judged = judgeBackends(sections);
  return paragraphsOf(sections).map(({ section, lines }) => {
    const isPlain = section !== undefined && judged.get(section)?.plain === true &&
      !section.lines.some(isServerLine);
    return { text: lines.join("\n"), plain: isPlain ? section.name : undefined };
  });
}, 8);

function markLine(base: string): string {
  return `    setenv ${BASE_VARIABLE} ${baseDigest(base)}`;
}
