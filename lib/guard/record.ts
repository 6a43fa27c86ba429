import * as v from "valibot";
import { parseEntry, type Server } from "../registry/entry.ts";
import { serverValue } from "../registry/entry_format.ts";
import { groupByService } from "../registry/model.ts";
import { messageOf } from "../util/errors.ts";
import { memoByObject } from "../util/memo.ts";
import type { GuardPort, GuardRecord } from "./apply_guard.ts";
import { INITIAL_GUARD } from "./guard.ts";
import type { KnownFile } from "./known_files.ts";

const TIME = v.pipe(v.number(), v.finite());
/** The name of a service, and its servers: the id of each, and the value of an entry. */
const SERVICE = v.tuple([v.string(), v.array(v.tuple([v.string(), v.string()]))]);
const RECORD = v.object({
  departures: v.array(v.object({ service: v.string(), id: v.string(), at: TIME })),
  missing: v.array(v.object({ key: v.string(), since: TIME })),
  /** Files after the first tell only services that differ from the first. Records of early versions have no files. */
  files: v.optional(v.array(v.object({ digest: v.string(), services: v.array(SERVICE) })), []),
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
 * Keeps the guard's record in a file, with times of the wall clock. A record that cannot be read counts as none. One that
 * cannot be written is reported, and the guard works with what it remembers.
 */
export function createGuardStore(
  path: string,
  { files, clocks, onError }: { files: RecordFiles; clocks: Clocks; onError: (message: string) => void },
): Pick<GuardPort, "load" | "save"> {
  // Taken once, so that setting the clock does not move recorded times.
  const offset = clocks.wall() - clocks.monotonic();
  let written = contentsOf(INITIAL_GUARD, offset);
  let isFailing = false;
  const fail = (error: unknown) => {
    if (!isFailing) onError(messageOf(error));
    isFailing = true;
  };
  return {
    load: async () => {
      try {
        const text = await files.read(path);
        const record = text === undefined ? INITIAL_GUARD : parseRecord(text, clocks);
        written = contentsOf(record, offset);
        return record;
      } catch (error) {
        fail(error);
        return INITIAL_GUARD;
      }
    },
    save: async (record) => {
      const next = contentsOf(record, offset);
      if (next.times === written.times && isWithin(next.services, written.services)) return;
      try {
        await files.replace(path, `{${next.times},"files":[${filesText(record.files)}]}`);
        [written, isFailing] = [next, false];
      } catch (error) {
        fail(error);
      }
    },
  };
}

function contentsOf(record: GuardRecord, offset: number) {
  return {
    times: timesText(record, offset),
    services: new Map(record.files.map(({ digest, services }) => [digest, services])),
  };
}

/** The same text can be written for other services: a template does not have to show all of them. */
function isWithin(files: FilesByDigest, written: FilesByDigest): boolean {
  return [...files].every(([digest, services]) => {
    const before = written.get(digest);
    return services.length === before?.length &&
      services.every(({ name, servers }, at) =>
        name === before[at]?.name && isSame(servers, before[at].servers)
      );
  });
}

type FilesByDigest = ReadonlyMap<string, KnownFile["services"]>;

function timesText({ departures, missingSince }: GuardRecord, offset: number): string {
  const left = departures.map(({ service, id, at }) => ({ service, id, at: Math.round(at + offset) }));
  const missing = [...missingSince].map(([key, since]) => ({ key, since: Math.round(since + offset) }));
  return `"departures":${JSON.stringify(left)},"missing":${JSON.stringify(missing)}`;
}

/** Files are large and differ little, so those after the first are written as what differs. */
function filesText([first, ...others]: readonly KnownFile[]): string {
  if (first === undefined) return "";
  const before = new Map(first.services.map(({ name, servers }) => [name, servers]));
  const changed = others.map(({ digest, services }) => {
    const gone = new Set(before.keys()).difference(new Set(services.map(({ name }) => name)));
    const others = services.filter(({ name, servers }) => !isSame(servers, before.get(name)));
    return { digest, services: [...others, ...[...gone].map((name) => ({ name, servers: [] }))] };
  });
  return [first, ...changed].map(fileText).join(",");
}

function isSame(servers: readonly Server[], before: readonly Server[] | undefined): boolean {
  return servers.length === before?.length && servers.every((server, at) => isSameServer(server, before[at]));
}

/** A server with an override is another object in each pass. */
function isSameServer(server: Server, before: Server | undefined): boolean {
  return server === before || before !== undefined && serverText(server) === serverText(before);
}

function fileText({ digest, services }: KnownFile): string {
  const texts = services.map(({ name, servers }) => `["${name}",[${servers.map(serverText).join(",")}]]`);
  return `{"digest":"${digest}","services":[${texts.join(",")}]}`;
}

// From one file to the next nearly all servers stay.
const serverText = memoByObject((server: Server) => JSON.stringify([server.id, serverValue(server)]));

/** @throws when any part of the record cannot be used: half of a file's servers would be worse than none */
function parseRecord(text: string, clocks: Clocks): GuardRecord {
  const { departures, missing, files } = v.parse(RECORD, JSON.parse(text));
  // Nothing lies in the future, whatever was done to the clock.
  const monotonic = (at: number) => clocks.monotonic() - Math.max(0, clocks.wall() - at);
  return {
    departures: departures.map((departure) => ({ ...departure, at: monotonic(departure.at) })),
    missingSince: new Map(missing.map(({ key, since }) => [key, monotonic(since)])),
    files: files.map(({ digest, services }) => {
      const all = new Map([...files[0]?.services ?? [], ...services]);
      const servers = [...all].flatMap(([name, servers]) =>
        [...new Map(servers)].map(([id, value]) => parseServer(`${name}/${id}`, value))
      );
      return { digest, services: groupByService(servers) };
    }),
  };
}

/** As strict as for the registry. A field that is not known would be lost, and the server would become another one. */
function parseServer(key: string, value: string): Server {
  const raw = { key, value: new TextEncoder().encode(value), modRevision: 0n, hasLease: false };
  const result = parseEntry(raw, "");
  if (!result.ok) throw new Error(`a server on record cannot be used: ${result.reason}`);
  if (result.value.unknownFields > 0) throw new Error("a server on record has a field that is not known");
  return result.value.value;
}
