import { readText, replaceFile } from "./config_file.ts";

/** What tells this node from another one of the same id: random, and kept for the next run. */
export interface Instance {
  current(): string;
  renew(): Promise<void>;
}

const FORM = /^[0-9a-f]{16}$/;

/** Reads the file, or makes one that only this user can read. */
export async function openInstance(path: string): Promise<Instance> {
  const kept = (await readText(path))?.trim();
  let current = kept !== undefined && FORM.test(kept) ? kept : await makeInstance(path);
  return {
    current: () => current,
    renew: async () => {
      current = await makeInstance(path);
    },
  };
}

async function makeInstance(path: string): Promise<string> {
  const made = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) =>
    byte.toString(16).padStart(2, "0")
  ).join("");
  await replaceFile(path, made);
  return made;
}
