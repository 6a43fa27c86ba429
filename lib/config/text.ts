import { createHash } from "node:crypto";
import { withoutComment } from "./line.ts";
import { memoByObject, memoByText } from "../util/memo.ts";
import { isServerLine, judgeBackends, type Section, sectionsOf } from "./section.ts";

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

/** As many server lines as a large registry has. */
const REMEMBERED_LINES = 50_000;

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
 * The text of a base. Blank lines stand in front of sections and nowhere else: what a template's loops leave behind
 * would otherwise make the base depend on the number of servers.
 */
export function baseText(sections: readonly Section[]): string {
  const paragraphs: string[][] = [];
  let introduction: string[] = [];
  for (const section of sections) {
    const { body, rest } = splitBody(section);
    if (body.length > 0) paragraphs.push([...introduction, ...body]);
    // Comments right in front of a section belong to it, not to the one before.
    introduction = body.length > 0 ? rest : [...introduction, ...rest];
  }
  return `${
    [...paragraphs, introduction].map((lines) => lines.join("\n")).filter((text) => text !== "").join("\n\n")
  }\n`;
}

/** The lines of a section that are not blank, and the comments at its end apart. */
function splitBody({ lines }: Section): { body: string[]; rest: string[] } {
  const filled = lines.map((line) => line.trimEnd()).filter((line) => line !== "");
  const end = filled.findLastIndex((line) => !isComment(line)) + 1;
  return { body: filled.slice(0, end), rest: filled.slice(end) };
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

/** One object for equal lines, so that what is known of it is found again at the next pass. */
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
    return text + (servers.get(plain) ?? []).map((line) => `\n${lineText(line)}`).join("");
  });
  return `${parts.join("\n\n")}\n${markLine(base)}\n`;
});

/** A server as a line of the text. */
const lineText = memoByObject(({ name, params }: ServerLine) => `    server ${name} ${params}`);

/** The server that stands on a line of `joinConfig`'s text; lines count from 1. */
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

/** A section of a base without the blank line behind it, and the name of the plain backend that it is, if it is one. */
interface BasePart {
  readonly text: string;
  readonly plain: string | undefined;
}

const partsOf = memoByText((base): readonly BasePart[] => {
  const sections = sectionsOf(base);
  const judged = judgeBackends(sections);
  const parts: BasePart[] = [];
  let introduction: string[] = [];
  for (const section of sections) {
    const isPlain = judged.get(section)?.plain === true && !section.lines.some(isServerLine);
    const { body, rest } = splitBody(section);
    const lines = [...introduction, ...body];
    if (lines.length > 0 && body.length > 0) {
      parts.push({ text: lines.join("\n"), plain: isPlain ? section.name : undefined });
    }
    introduction = body.length > 0 ? rest : [...introduction, ...rest];
  }
  return introduction.length > 0 ? [...parts, { text: introduction.join("\n"), plain: undefined }] : parts;
}, 8);

function markLine(base: string): string {
  return `    setenv ${BASE_VARIABLE} ${baseDigest(base)}`;
}
