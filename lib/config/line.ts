/**
 * Splits one line of HAProxy's configuration into words, with quotes and escapes read as in the configuration manual,
 * section 2.2 ("Quoting and escaping"). A `#` outside of both starts a comment. Environment variables are not replaced.
 */
export function configWords(line: string): string[] {
  // Most lines have neither quotes nor escapes, and a large file has many lines.
  if (!SPECIAL.test(line)) return line.split(/[ \t\r]+/).filter((word) => word !== "");
  return scan(line).words;
}

/** A line without the comment at its end. */
export function withoutComment(line: string): string {
  return SPECIAL.test(line) ? line.slice(0, scan(line).end).trimEnd() : line.trimEnd();
}

const SPECIAL = /["'\\#]/;

interface Scanned {
  readonly words: string[];
  /** Where the comment starts, or the line ends. */
  readonly end: number;
}

function scan(line: string): Scanned {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  let at = 0;
  for (; at < line.length; at++) {
    const character = line.charAt(at);
    if (quote === "" && character === "#") break;
    if (quote === "" && /[ \t\r]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (quote !== "'" && character === "\\") {
      const escape = readEscape(line, at, quote);
      word += escape.text;
      at += escape.length - 1;
    } else word += character;
  }
  if (word !== undefined) words.push(word);
  return { words, end: at };
}

const CONTROLS: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** An unknown escape keeps its backslash. */
function readEscape(line: string, at: number, quote: string): { text: string; length: number } {
  const next = line.charAt(at + 1);
  const literal = quote === '"' ? /^[ #"'\\$]$/ : /^[ #"'\\]$/;
  if (literal.test(next)) return { text: next, length: 2 };
  const hex = /^x([0-9A-Fa-f]{2})/.exec(line.slice(at + 1, at + 4))?.[1];
  if (hex !== undefined) return { text: String.fromCharCode(parseInt(hex, 16)), length: 4 };
  const control = CONTROLS[next];
  return control === undefined ? { text: "\\", length: 1 } : { text: control, length: 2 };
}

/**
 * Quotes text as one word of HAProxy's configuration.
 *
 * @throws {TypeError} when the text holds a line break or NUL, which no word can hold
 */
export function quoteWord(text: string): string {
  if (/[\0\n\r]/.test(text)) {
    throw new TypeError("Cannot quote a word for HAProxy: it holds a line break or NUL");
  }
  if (/^[A-Za-z0-9._:\/@,=+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * Quotes text as one word that HAProxy reads as a log format, such as the value of a header (configuration manual, 8.2.4
 * "Custom log format"), so that nothing in it is replaced.
 */
export function quoteFormat(text: string): string {
  return quoteWord(text.replaceAll("%", "%%"));
}
