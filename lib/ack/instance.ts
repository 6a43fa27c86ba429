import { randomBytes } from "node:crypto";
import type { StateFiles } from "../haproxy/state/files.ts";

/** A random name that tells this node from another one of the same id. It is kept for the next run. */
export interface Instance {
  current(): string;
  /** Makes a new one: another process has the same, because it runs on a copy of this node's state directory. */
  renew(): Promise<void>;
}

const FORM = /^[0-9a-f]{16}$/;

/** Reads the file, or makes one that only its user can read. */
export async function openInstance(path: string, files: StateFiles): Promise<Instance> {
  const kept = (await files.read(path))?.trim();
  let current = kept !== undefined && FORM.test(kept) ? kept : await makeInstance(path, files);
  return {
    current: () => current,
    renew: async () => {
      current = await makeInstance(path, files);
    },
  };
}

async function makeInstance(path: string, files: StateFiles): Promise<string> {
  const made = randomBytes(8).toString("hex");
  await files.replace(path, made);
  return made;
}
