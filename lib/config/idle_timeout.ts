import { configWords } from "./line.ts";
import { memoByText } from "../util/memo.ts";
import { defaultsOf, type Section, sectionsOf } from "./section.ts";

/** Units of HAProxy's times (configuration manual, 2.5 "Time format"). */
const UNITS_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * For how long a client of a configuration may stay idle, and then take to send a request, before it is disconnected, in
 * milliseconds: the longest of all places that accept clients. Undefined: as long as it likes.
 */
export function idleLimitMs(text: string): number | undefined {
  const limits = [...defaultsOf(sectionsOf(text))]
    .filter(([{ keyword }]) => keyword === "frontend" || keyword === "listen")
    .map(([section, defaults]) => sectionLimitMs(section, defaults));
  return limits.some((limit) => limit === undefined)
    ? undefined
    : Math.max(0, ...limits.map((limit) => limit ?? 0));
}

const limitOf = memoByText((base) => ({ ms: idleLimitMs(base) ?? Infinity }), 8);

/** The longest limit of several bases; infinite where one has none. */
export function longestIdleMs(bases: readonly string[]): number {
  return Math.max(0, ...bases.map((base) => limitOf(base).ms));
}

/**
 * The time of a request begins with its first byte, when that of keep-alive may be all but over, so they add up. One
 * falls back on another where it is not set (configuration manual, "timeout http-keep-alive").
 */
function sectionLimitMs(section: Section, defaults: Section | undefined): number | undefined {
  const lines = [...defaults?.lines ?? [], ...section.lines].map(configWords);
  const timeout = (name: string) => {
    const value = lines.findLast(([first, second]) => first === "timeout" && second === name)?.[2];
    return value === undefined ? undefined : timeMs(value);
  };
  const client = timeout("client") ?? Infinity;
  const request = timeout("http-request") ?? client;
  const limit = (timeout("http-keep-alive") ?? request) + request;
  return Number.isFinite(limit) ? limit : undefined;
}

/** A time of the configuration; 0 means that it never ends. What cannot be read is taken for the same. */
function timeMs(value: string): number {
  const match = /^(\d+)(us|ms|s|m|h|d)?$/.exec(value);
  const ms = Number(match?.[1] ?? 0) * (UNITS_MS[match?.[2] ?? "ms"] ?? 0);
  return ms === 0 ? Infinity : ms;
}
