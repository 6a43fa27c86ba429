import * as v from "valibot";
import { messageOf } from "../util/errors.ts";
import type { GuardPort, GuardRecord } from "./apply_guard.ts";

const TIME = v.pipe(v.number(), v.finite());
const RECORD = v.object({
  departures: v.array(v.object({ service: v.string(), id: v.string(), at: TIME })),
  missing: v.array(v.object({ key: v.string(), since: TIME })),
});

/** The files in which the record is kept. */
export interface RecordFiles {
  /** The text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** @throws {ControllerError} (operator) when it cannot be written */
  replace(path: string, text: string): Promise<void>;
}

/** Milliseconds of the wall clock, which outlives the process, and of the monotonic one, which passes use. */
export interface Clocks {
  readonly wall: () => number;
  readonly monotonic: () => number;
}

/**
 * Keeps the guard's record in a file, with times of the wall clock. A record that cannot be read counts as none, one that
 * cannot be written is reported and left: the guard goes on with what it remembers.
 */
export function createGuardStore(
  path: string,
  { files, clocks, onError }: { files: RecordFiles; clocks: Clocks; onError: (message: string) => void },
): Pick<GuardPort, "load" | "save"> {
  // Taken once, so that a clock that is set does not move what was recorded.
  const offset = clocks.wall() - clocks.monotonic();
  let written = textOf({ departures: [], missingSince: new Map() }, offset);
  return {
    load: async () => {
      try {
        return parseRecord(await files.read(path), clocks);
      } catch (error) {
        onError(messageOf(error));
        return { departures: [], missingSince: new Map() };
      }
    },
    save: async (record) => {
      const text = textOf(record, offset);
      if (text === written) return;
      try {
        await files.replace(path, text);
        written = text;
      } catch (error) {
        onError(messageOf(error));
      }
    },
  };
}

function textOf({ departures, missingSince }: GuardRecord, offset: number): string {
  return JSON.stringify({
    departures: departures.map(({ service, id, at }) => ({ service, id, at: Math.round(at + offset) })),
    missing: [...missingSince].map(([key, since]) => ({ key, since: Math.round(since + offset) })),
  });
}

function parseRecord(text: string | undefined, clocks: Clocks): GuardRecord {
  if (text === undefined) return { departures: [], missingSince: new Map() };
  const { departures, missing } = v.parse(RECORD, JSON.parse(text));
  // Nothing lies in the future, whatever was done to the clock.
  const monotonic = (at: number) => clocks.monotonic() - Math.max(0, clocks.wall() - at);
  return {
    departures: departures.map((departure) => ({ ...departure, at: monotonic(departure.at) })),
    missingSince: new Map(missing.map(({ key, since }) => [key, monotonic(since)])),
  };
}
