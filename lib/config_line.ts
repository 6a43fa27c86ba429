/**
 * Splits one line of HAProxy's configuration into words: quotes and backslashes as in the configuration manual, section
 * 2.2 ("Quoting and escaping"); `#` outside of both starts a comment. Environment variables are left as they are written.
 */
export function configWords(line: string): string[] {
  // Most lines have neither quotes nor escapes, and a large file has many lines.
  if (!/["'\\#]/.test(line)) return line.split(/[ \t\r]+/).filter((word) => word !== "");
  return quotedWords(line);
}

function quotedWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const character = line.charAt(i);
    if (quote === "" && character === "#") break;
    if (quote === "" && /[ \t\r]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (quote !== "'" && character === "\\") word += line.charAt(++i);
    else word += character;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Quotes text as one word of HAProxy's configuration, whatever it holds but line breaks and NUL, which no word can hold. */
export function quoteWord(text: string): string {
  if (/[\0\n\r]/.test(text)) {
    throw new TypeError("Cannot quote a word for HAProxy: it holds a line break or NUL");
  }
  if (/^[A-Za-z0-9._:\/@,=+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
