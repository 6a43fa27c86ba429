import { Buffer } from "node:buffer";
import { type Architecture, elfArchitecture } from "./architecture.ts";

/** Every runtime contains this, followed by its version. */
const VERSION_MARK = "denover";

/**
 * The architecture of a runtime for `deno compile` (a `denort`).
 *
 * @throws {Error} if the file is none, or one of another version than `denoVersion`: deno would make a program of it that
 * does not start
 */
export function runtimeArchitecture(file: Uint8Array, denoVersion: string): Architecture {
  const architecture = elfArchitecture(file.subarray(0, 20));
  if (architecture === undefined) {
    throw new Error("Cannot use DENORT_BIN: it is no program for x86_64 or aarch64");
  }
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.includes(VERSION_MARK) && !bytes.includes(VERSION_MARK + denoVersion)) {
    throw new Error(`Cannot use DENORT_BIN: it is a runtime for another version than deno ${denoVersion}`);
  }
  return architecture;
}
