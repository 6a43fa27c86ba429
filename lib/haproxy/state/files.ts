import PQueue from "p-queue";
import { isThere, readText, replaceFile } from "../config_file.ts";

/** Files of the state directory. It remembers their texts, so that a removed file can be restored. */
export interface StateFiles {
  /** The text of a file, even after it was removed; undefined when there was none. */
  read(path: string): Promise<string | undefined>;
  /** @throws {ControllerError} (operator) when it cannot be written */
  replace(path: string, text: string): Promise<void>;
  /**
   * Writes missing files again; returns their paths.
   *
   * @throws {ControllerError} (operator) when one cannot be written
   */
  restore(): Promise<readonly string[]>;
}

/** Creates it without any file. */
export function createStateFiles(): StateFiles {
  const texts = new Map<string, string>();
  // A restored file must not replace a newer text.
  const writes = new PQueue({ concurrency: 1 });
  return {
    read: async (path) => {
      const text = await readText(path) ?? texts.get(path);
      if (text !== undefined) texts.set(path, text);
      return text;
    },
    replace: (path, text) =>
      writes.add(async () => {
        await replaceFile(path, text);
        texts.set(path, text);
      }),
    restore: () =>
      writes.add(async () => {
        const written: string[] = [];
        for (const [path, text] of texts) {
          if (await isThere(path)) continue;
          await replaceFile(path, text);
          written.push(path);
        }
        return written;
      }),
  };
}
