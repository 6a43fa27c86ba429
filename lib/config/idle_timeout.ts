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
 * How long a client may stay idle, and then take to send a request, before it is disconnected, in milliseconds. The longest
 * time of all frontends counts. Undefined: without a limit.
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

/** The longest limit of several bases; Infinity when one has none. */
export function longestIdleMs(bases: readonly string[]): number {
  return Math.max(0, ...bases.map((base) => limitOf(base).ms));
}

/**
 * The time of a request begins with its first byte, when the time of keep-alive may be nearly over, so they add up. Each
 * has another one as default (configuration manual, "timeout http-keep-alive").
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

/** A time of the configuration; 0 means that it never ends. A time that cannot be read counts as 0. */
function timeMs(value: string): number {
  const match = /^(\d+)(us|ms|s|m|h|d)?$/.exec(value);
  const ms = Number(match?.[1] ?? 0) * (UNITS_MS[match?.[2] ?? "ms"] ?? 0);
  return ms === 0 ? Infinity : ms;
}
