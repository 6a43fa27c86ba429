/**
 * Makes registry text safe to show in a log, a table or a terminal: everything but printable ASCII becomes `\xNN` or
 * `\u{N}`, and a long text is cut. Registry text is hostile input, also where it is only looked at.
 */
export function escapeText(text: string, maxLength = 200): string {
  const shown = text.length > maxLength ? text.slice(0, maxLength) : text;
  const escaped = shown.replace(/[^\x20-\x7e]|\\/gu, escapeCharacter);
  return text.length > maxLength ? `${escaped}... (${text.length} characters)` : escaped;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === "\\") return "\\\\";
  if (code > 0xff) return `\\u{${code.toString(16)}}`;
  return `\\x${code.toString(16).padStart(2, "0")}`;
}
