// Types for the parts of the Deno standard library that this project uses. They come from npm's `deno-std`, which has
// the code without its types; the signatures are those of the documentation.

declare module "@std/async/debounce" {
  export interface DebouncedFunction<T extends unknown[]> {
    (...args: T): void;
    clear(): void;
    flush(): void;
    readonly pending: boolean;
  }
  export function debounce<T extends unknown[]>(
    fn: (...args: T) => void,
    waitMs: number,
  ): DebouncedFunction<T>;
}

declare module "@std/async/deadline" {
  export function deadline<T>(
    promise: Promise<T>,
    ms: number,
    options?: { signal?: AbortSignal },
  ): Promise<T>;
}

declare module "@std/fs/ensure-dir" {
  export function ensureDir(dir: string | URL): Promise<void>;
}

declare module "@std/assert" {
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
  export function assertThrows<E extends Error>(
    fn: () => unknown,
    errorClass?: new (...args: never[]) => E,
    msgIncludes?: string,
  ): E;
  export function assertRejects<E extends Error>(
    fn: () => Promise<unknown>,
    errorClass?: new (...args: never[]) => E,
    msgIncludes?: string,
  ): Promise<E>;
  export function fail(msg?: string): never;
}
