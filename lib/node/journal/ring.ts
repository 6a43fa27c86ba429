/** What a ring holds: each item has a greater number than the one before it. */
export interface Numbered {
  readonly number: number;
}

/** The newest of what was put in, in order. */
export interface Ring<T extends Numbered> {
  /** Drops the oldest ones, as many as the bounds ask for. */
  push(item: T): void;
  /** The first of those with a greater number, at most `limit`. */
  after(number: number, limit: number): T[];
}

/** Bounds of a ring. */
export interface RingBounds {
  readonly maxItems: number;
  /** Of all items; a single one may exceed it. */
  readonly maxBytes: number;
}

/** Creates an empty ring. */
export function createRing<T extends Numbered>(
  { maxItems, maxBytes, sizeOf }: RingBounds & { readonly sizeOf: (item: T) => number },
): Ring<T> {
  const slots: (T | undefined)[] = [];
  let [first, length, bytes] = [0, 0, 0];
  const at = (index: number): T | undefined => slots[(first + index) % maxItems];

  const dropOldest = () => {
    const oldest = at(0);
    if (oldest !== undefined) bytes -= sizeOf(oldest);
    slots[first] = undefined;
    first = (first + 1) % maxItems;
    length--;
  };
  /** How many have a number of at most this. */
  const countUntil = (number: number): number => {
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((at(middle)?.number ?? 0) <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    push: (item) => {
      const size = sizeOf(item);
      while (length > 0 && (length === maxItems || bytes + size > maxBytes)) dropOldest();
      slots[(first + length) % maxItems] = item;
      length++;
      bytes += size;
    },
    after: (number, limit) => {
      const found: T[] = [];
      for (let index = countUntil(number); index < length && found.length < limit; index++) {
        const item = at(index);
        if (item !== undefined) found.push(item);
      }
      return found;
    },
  };
}
