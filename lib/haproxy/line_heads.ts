/** Cuts bytes into lines, with a memory that is bounded whatever stands in them. */
export interface LineHeads {
  /** The lines that end in these bytes; each but its first few thousand bytes is dropped. Empty ones are left out. */
  push(bytes: Uint8Array): string[];
  /** How many bytes a line has that has begun and not ended. */
  begun(): number;
  /** The line that has begun, as if it had ended. */
  end(): string[];
}

/** More than the log shows of a field. */
const MAX_BYTES = 4_096;
const NEWLINE = "\n".charCodeAt(0);
const NOTHING = new Uint8Array(0);

/** Creates it for bytes that begin with a line. */
export function createLineHeads(): LineHeads {
  const decoder = new TextDecoder();
  let begun: Uint8Array = NOTHING;
  let begunBytes = 0;
  const push = (bytes: Uint8Array): string[] => {
    const lines: string[] = [];
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      lines.push(decoder.decode(headOf(begun, bytes.subarray(from, end))));
      begun = NOTHING;
      from = end + 1;
    }
    begun = headOf(begun, bytes.subarray(from));
    begunBytes = bytes.length - from + (from === 0 ? begunBytes : 0);
    return lines.filter((line) => line !== "");
  };
  return {
    push,
    begun: () => begunBytes,
    end: () => push(Uint8Array.of(NEWLINE)),
  };
}

function headOf(begun: Uint8Array, rest: Uint8Array): Uint8Array {
  const head = new Uint8Array(Math.min(MAX_BYTES, begun.length + rest.length));
  head.set(begun);
  head.set(rest.subarray(0, head.length - begun.length), begun.length);
  return head;
}
