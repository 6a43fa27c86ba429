import PQueue from "p-queue";
import { isThere, readText, replaceFile } from "../config_file.ts";

/** Files of the state directory, with the memory of what was read and written: one that somebody removed comes back. */
export interface StateFiles {
  /** The text of a file, also of one that somebody removed; undefined when there was none. */
  read(path: string): Promise<string | undefined>;
  /** @throws {ControllerError} (operator) when it cannot be written */
  replace(path: string, text: string): Promise<void>;
  /**
   * Writes those again that are not there any more; returns their paths.
   *
   * @throws {ControllerError} (operator) when one cannot be written
   */
  restore(): Promise<readonly string[]>;
}

/** Creates it for files that nobody has read yet. */
export function createStateFiles(): StateFiles {
  const texts = new Map<string, string>();
  // What is made again must not come over what is written meanwhile.
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
