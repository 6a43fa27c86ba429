import fc from "fast-check";

/**
 * Any character, half a surrogate pair included. fast-check's own unit "binary" is the same, but takes two seconds to
 * make in every process.
 */
export const anyCharacter = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
