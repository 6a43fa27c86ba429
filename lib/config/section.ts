import { configWords } from "./line.ts";

/** Lines that start with a section keyword. The lines before the first section are a section without keyword. */
export interface Section {
  readonly keyword: string;
  /** Empty where the section has none. */
  readonly name: string;
  readonly lines: readonly string[];
}

/** Section keywords of HAProxy 2.6 to 3.2 (configuration manual, table of contents). */
const SECTION_KEYWORDS = new Set(
  ("global defaults frontend backend listen peers resolvers mailers userlist program http-errors ring cache " +
    "log-forward log-profile fcgi-app crt-store traces acme").split(" "),
);

/** Splits a configuration into its sections; joining all their lines gives the text back. */
export function sectionsOf(text: string): Section[] {
  let lines: string[] = [];
  const sections: Section[] = [{ keyword: "", name: "", lines }];
  for (const line of text.split("\n")) {
    const start = sectionStart(line);
    if (start !== undefined) sections.push({ ...start, lines: lines = [] });
    lines.push(line);
  }
  return sections;
}

function sectionStart(line: string): { keyword: string; name: string } | undefined {
  // Server lines are most of a large file and never start a section.
  if (/^\s*(server\s|$)/.test(line)) return undefined;
  const [keyword = "", name = ""] = configWords(line);
  return SECTION_KEYWORDS.has(keyword) ? { keyword, name } : undefined;
}

/** Whether a line is a `server` line. */
export function isServerLine(line: string): boolean {
  return /^\s*server[ \t]/.test(line);
}

/**
 * Whether servers of a backend can be changed while HAProxy runs, and if not, why. Sources: management manual,
 * "add server" (dynamic algorithm needed, `default-server` not applied); configuration manual, "balance", "use-server".
 */
export type Plainness = { readonly plain: true } | { readonly plain: false; readonly reason: string };

/** Every `backend` section of a text with its judgement, in the order of the text. */
export function judgeBackends(sections: readonly Section[]): Map<Section, Plainness> {
  const backends = [...defaultsOf(sections)].filter(([{ keyword }]) => keyword === "backend");
  return new Map(backends.map(([section, defaults]) => {
    const reason = whyNotPlain(section, defaults);
    return [section, reason === undefined ? { plain: true } : { plain: false, reason }];
  }));
}

const PREVENTING = new Set(["default-server", "server-template", "use-server", "dispatch"]);
const AGENT_CHECK = /\sagent-check\b/;

function whyNotPlain(section: Section, defaults: Section | undefined): string | undefined {
  const own = section.lines.slice(1).filter((line) => !isServerLine(line));
  const all = [...defaults?.lines.slice(1) ?? [], ...own].map(configWords);
  if (all.some(([first = ""]) => first.startsWith("."))) return "it holds conditional blocks (.if)";
  const preventing = all.find(([first = ""]) => PREVENTING.has(first));
  if (preventing !== undefined) return `it has ${preventing[0]}`;
  const likely = section.lines.filter((line) => isServerLine(line) && AGENT_CHECK.test(line));
  if (likely.some((line) => configWords(line).includes("agent-check"))) return "a server has agent-check";
  if (all.some(([first, second]) => first === "option" && second === "transparent")) {
    return "it has option transparent";
  }
  return whyNotDynamic(all);
}

const ALWAYS_DYNAMIC = new Set(["roundrobin", "leastconn", "random"]);
const NEVER_DYNAMIC = new Set(["static-rr", "first", "log-hash", "sticky"]);

/** Why the algorithm does not take servers at run time. */
function whyNotDynamic(lines: readonly (readonly string[])[]): string | undefined {
  const argument = (keyword: string) => lines.findLast(([first]) => first === keyword)?.[1];
  const balance = argument("balance")?.replace(/\(.*$/, "") ?? "roundrobin";
  if (NEVER_DYNAMIC.has(balance)) return `balance ${balance} takes no dynamic servers`;
  if (ALWAYS_DYNAMIC.has(balance) || argument("hash-type") === "consistent") return undefined;
  return `balance ${balance} takes dynamic servers only with hash-type consistent`;
}

/** The `frontend`, `backend` and `listen` sections, each with the `defaults` section that it inherits from, if any. */
export function defaultsOf(sections: readonly Section[]): Map<Section, Section | undefined> {
  const found = new Map<Section, Section | undefined>();
  const named = new Map<string, Section>();
  let last: Section | undefined;
  for (const section of sections) {
    if (section.keyword === "defaults") {
      last = withInherited(section, named);
      named.set(section.name, last);
    }
    if (!PROXIES.has(section.keyword)) continue;
    const from = inheritsFrom(section);
    found.set(section, from === undefined ? last : named.get(from));
  }
  return found;
}

const PROXIES = new Set(["frontend", "backend", "listen"]);

/** A `defaults` section may inherit from another one (configuration manual, 4 "Proxies"). */
function withInherited(section: Section, named: ReadonlyMap<string, Section>): Section {
  const from = inheritsFrom(section);
  const inherited = from === undefined ? undefined : named.get(from);
  if (inherited === undefined) return section;
  const [head = "", ...own] = section.lines;
  return { ...section, lines: [head, ...inherited.lines.slice(1), ...own] };
}

function inheritsFrom(section: Section): string | undefined {
  const words = configWords(section.lines[0] ?? "");
  return words.at(-2) === "from" ? words.at(-1) : undefined;
}

/**
 * The addresses that one text binds and another does not, as they are written. An address on a port that was bound
 * before is left out: HAProxy itself has it, and releases it.
 */
export function addedBinds(before: string, after: string): string[] {
  const known = new Set([...bindsOf(before)].map(portOf));
  return [...bindsOf(after)].filter((address) => !known.has(portOf(address)));
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

function bindsOf(text: string): Set<string> {
  const lines = sectionsOf(text).flatMap(({ keyword, lines }) =>
    keyword === "frontend" || keyword === "listen" ? lines : []
  );
  const binds = lines.map(configWords).filter(([first]) => first === "bind");
  return new Set(binds.flatMap(([, addresses = ""]) => addresses.split(",")));
}
