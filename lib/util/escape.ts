/**
 * Makes registry text safe to show in a log, a table or a terminal: everything but printable ASCII becomes `\xNN` or
 * `\u{N}`, and a long text is cut. Registry text is hostile input, even if it is only shown.
 */
export function escapeText(text: string, maxLength = 200): string {
  const shown = text.length > maxLength ? text.slice(0, maxLength) : text;
  const escaped = shown.replace(/[^\x20-\x7e]|\\/gu, escapeCharacter);
  return text.length > maxLength ? `${escaped}... (${text.length} characters)` : escaped;
}

/** The same for text of several lines, such as a message with an excerpt: line breaks stay. */
export function escapeLines(text: string, maxLength = 2_000): string {
  return text.split("\n").map((line) => escapeText(line, maxLength)).join("\n");
}

/** A value as JSON in printable ASCII, so that a terminal does not obey what it shows. */
export function asciiJson(value: unknown, { maxLength = Infinity, indent = 0 } = {}): string {
  return JSON.stringify(value, (_, inner) => {
    if (typeof inner === "bigint") return Number(inner);
    const isLong = typeof inner === "string" && inner.length > maxLength;
    return isLong ? `${inner.slice(0, maxLength)}... (${inner.length} characters)` : inner;
  }, indent).replace(/[^\x20-\x7e\n]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === "\\") return "\\\\";
  if (code > 0xff) return `\\u{${code.toString(16)}}`;
  return `\\x${code.toString(16).padStart(2, "0")}`;
}
