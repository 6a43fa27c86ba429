import type { Entry } from "./rings.ts";

/**
 * An event's id: the id of the process's start and the event's number. Numbers begin again at 1 when the process does, so
 * they say nothing without it.
 */
export function formatId(startId: string, number: number): string {
  return `${startId}-${number}`;
}

/** Reads an id; undefined when it is none. */
export function parseId(
  text: string,
): { readonly startId: string; readonly number: number } | undefined {
  const [, startId, number] = /^([a-z0-9]{1,32})-(\d{1,15})$/.exec(text) ?? [];
  return startId === undefined ? undefined : { startId, number: Number(number) };
}

/** A short id for a start of the process, such as "tb2m1sx3f9": its second, and chance for two starts within one. */
export function startIdOf({ at, random }: { readonly at: number; readonly random: number }): string {
  const chance = Math.floor(random * 36 ** 4).toString(36).padStart(4, "0");
  return `${Math.floor(at / 1_000).toString(36)}${chance}`;
}

/** An event as a client gets it, with its id and time, as JSON in printable ASCII. */
export function eventJson(startId: string, { number, at, json }: Entry): string {
  const head = JSON.stringify({ id: formatId(startId, number), at: new Date(at).toISOString() });
  return `${head.slice(0, -1)},${json.slice(1)}`;
}
