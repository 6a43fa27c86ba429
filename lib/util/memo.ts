/** Remembers the result of a pure function for an object, for as long as the object lives. */
export function memoByObject<K extends object, V extends object | string>(
  make: (key: K) => V,
): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const value = make(key);
    known.set(key, value);
    return value;
  };
}

/**
 * Remembers the results of a pure function for texts. It forgets a text that was not asked for while `size` new ones came,
 * so it holds at most twice as many.
 */
export function memoByText<V extends object | string>(
  make: (text: string) => V,
  size: number,
): (text: string) => V {
  let young = new Map<string, V>();
  let old = new Map<string, V>();
  return (text) => {
    const known = young.get(text);
    if (known !== undefined) return known;
    const value = old.get(text) ?? make(text);
    if (young.size >= size) {
      old = young;
      young = new Map();
    }
    young.set(text, value);
    return value;
  };
}
