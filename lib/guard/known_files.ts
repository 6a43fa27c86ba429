import { hash } from "node:crypto";
import type { Service } from "../registry/model.ts";
import { memoByText } from "../util/memo.ts";

/** A configuration file, named by the SHA-256 of its text in hex, and the services that it was written for. */
export interface KnownFile {
  readonly digest: string;
  readonly services: readonly Service[];
}

/** The file that a pass is about to write. */
export interface NextFile {
  readonly text: string;
  readonly services: readonly Service[];
  /** The text that it replaces; undefined when there is none. */
  readonly onDisk: string | undefined;
  /** Whether the text that it replaces is also the last good one. */
  readonly isGood: boolean;
}

/**
 * The files that a restart may find, from the moment at which a pass begins to write. The list is recorded before the
 * file is replaced, so the record knows the file at whatever point the controller is killed. F, G, M and N are texts, and
 * F and G are mostly the same:
 *
 * | moment                                          | on disk | last good | on record |
 * |-------------------------------------------------|---------|-----------|-----------|
 * | a pass wants N                                  | F       | G         | G F       |
 * | the record is written                           | F       | G         | G F N     |
 * | N is renamed over F                             | N       | G         | G F N     |
 * | the reload failed, and G was put back           | G       | G         | G F N     |
 * | HAProxy runs N, and N was kept as the last good | N       | N         | G F N     |
 * | a later pass wants M, and its record is written | N       | N         | N M       |
 *
 * The last good file is always the first of `files`.
 */
export function withNext(
  files: readonly KnownFile[],
  { text, services, onDisk, isGood }: NextFile,
): readonly KnownFile[] {
  const current = findFile(files, onDisk);
  const good = isGood ? current : files[0];
  return unique([good, current, { digest: digestOf(text), services }]);
}

/** The files on record that are still there after a start. */
export function filesAtStart(
  files: readonly KnownFile[],
  { lastGood, onDisk }: { readonly lastGood: string | undefined; readonly onDisk: string | undefined },
): readonly KnownFile[] {
  return unique([findFile(files, lastGood), findFile(files, onDisk)]);
}

/** The file with this text; undefined when it is not known. */
export function findFile(files: readonly KnownFile[], text: string | undefined): KnownFile | undefined {
  if (text === undefined || files.length === 0) return undefined;
  const digest = digestOf(text);
  return files.find((file) => file.digest === digest);
}

/** Of files with the same text, the last one. */
function unique(files: readonly (KnownFile | undefined)[]): readonly KnownFile[] {
  return [...new Map(files.filter((file) => file !== undefined).map((file) => [file.digest, file])).values()];
}

/** A pass asks for the text on disk and for the next one, and both are large. */
const digestOf = memoByText((text) => hash("sha256", text), 1);
