/** The lines of a Markdown page that are not in a code block. */
export function proseLines(text: string): string[] {
  let isCode = false;
  return text.split("\n").filter((line) => {
    const isFence = /^\s*```/.test(line);
    if (isFence) isCode = !isCode;
    return !isFence && !isCode;
  });
}

/** The cells of all tables of a page. */
export function tableCells(text: string): string[] {
  return proseLines(text).filter((line) => /^\s*\|/.test(line) && !/^[\s|:-]+$/.test(line))
    .flatMap((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
}

/** Where the links of a page lead to: those in the text, and the definitions that others refer to. */
export function linksOf(text: string): string[] {
  const prose = proseLines(text).map((line) => line.replace(/`[^`]*`/g, "")).join("\n");
  const inline = [...prose.matchAll(/\]\(([^)\s]+)\)/g)];
  const defined = [...prose.matchAll(/^\[[^\]]+\]: (\S+)/gm)];
  return [...inline, ...defined].flatMap(([, target]) => target ?? []);
}

/** The anchors that GitHub gives to the headings of a page. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return headingsOf(text).map((heading) => {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

/** The texts of the headings of a page, with their marks. */
export function headingsOf(text: string): string[] {
  return proseLines(text).flatMap((line) => /^#{1,6} (.+)$/.exec(line)?.[1] ?? []);
}
