import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { serverValue } from "../../lib/registry/entry_format.ts";
import { serverKey, type Service } from "../../lib/registry/model.ts";
import { goodEntry, placeName } from "../unit/arbitraries.ts";
import { createGuardStore } from "../../lib/guard/record.ts";
import { createStateFiles } from "../../lib/haproxy/state/files.ts";
import type { GuardRecord } from "../../lib/guard/apply_guard.ts";
import { INITIAL_GUARD } from "../../lib/guard/guard.ts";
import { tempDir } from "../support/mod.ts";
import { modelOf } from "../unit/fixtures.ts";

const FIRST = modelOf({
  "s/a": "10.0.0.5:80",
  "s/b": { address: "[2001:db8::5]:80", weight: 7 },
  "t/c": "x.test:80",
});
const SECOND = modelOf({ "s/a": "10.0.0.5:80", "s/d": "10.0.0.6:80" });
const RECORD: GuardRecord = {
  departures: [{ service: "s", id: "b", at: 4_000 }],
  missingSince: new Map([["s/a", 5_000]]),
  files: [{ digest: "1", services: FIRST.services }, { digest: "2", services: SECOND.services }],
};
const NONE: GuardRecord = INITIAL_GUARD;

/** What a record tells of files, in short. */
function filesOf({ files }: GuardRecord) {
  return files.map(({ digest, services }) => {
    const servers = services.flatMap(({ servers }) => servers);
    return [digest, ...servers.map((server) => serverKey(server) + " " + serverValue(server))];
  });
}

/** A store of a process that was started when the wall clock stood at `wall` and its own clock at `monotonic`. */
function storeAt(path: string, wall: number, monotonic: number) {
  const errors: string[] = [];
  const clocks = { wall: () => wall, monotonic: () => monotonic };
  return {
    ...createGuardStore(path, {
      files: createStateFiles(),
      clocks,
      onError: (message) => errors.push(message),
    }),
    errors,
  };
}

Deno.test("createGuardStore() gives a later process the times by its own clock", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await storeAt(path, 1_000_000, 6_000).save(RECORD);
  const later = storeAt(path, 1_010_000, 200);
  const { departures, missingSince } = await later.load();
  assertEquals(departures, [{ service: "s", id: "b", at: 200 - 12_000 }]);
  assertEquals(missingSince, new Map([["s/a", 200 - 11_000]]));
  assertEquals(later.errors, []);
});

Deno.test("createGuardStore() lets nothing lie in the future when the clock went back", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await storeAt(path, 1_000_000, 6_000).save(RECORD);
  const record = await storeAt(path, 500_000, 200).load();
  assertEquals([record.departures[0]?.at, record.missingSince.get("s/a")], [200, 200]);
});

Deno.test("createGuardStore() writes a file again that is there for other services", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  const store = storeAt(path, 1_000_000, 6_000);
  const record = (services: readonly Service[]): GuardRecord => ({
    ...RECORD,
    files: [{ digest: "1", services }],
  });
  await store.save(record(FIRST.services));
  await store.save(record(SECOND.services));
  assertEquals(filesOf(await storeAt(path, 1_000_000, 0).load()), filesOf(record(SECOND.services)));
});

Deno.test("createGuardStore() does not write services again that are equal", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  const store = storeAt(path, 1_000_000, 6_000);
  await store.save(RECORD);
  await Deno.remove(path);
  const again = modelOf({
    "s/a": "10.0.0.5:80",
    "s/b": { address: "[2001:db8::5]:80", weight: 7 },
    "t/c": "x.test:80",
  });
  await store.save({ ...RECORD, files: [{ digest: "1", services: again.services }] });
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path), ({ name }) => name), []);
});

Deno.test("createGuardStore() gives a later process the servers of each file", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await storeAt(path, 1_000_000, 6_000).save(RECORD);
  const record = await storeAt(path, 1_010_000, 200).load();
  assertEquals(filesOf(record), filesOf(RECORD));
  assertEquals(filesOf(record), [
    ["1", "s/a 10.0.0.5:80", 's/b {"address":"[2001:db8::5]:80","weight":7}', "t/c x.test:80"],
    ["2", "s/a 10.0.0.5:80", "s/d 10.0.0.6:80"],
  ]);
});

Deno.test("createGuardStore() writes nothing when nothing changed, or when it forgets a file", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  const store = storeAt(path, 1_000_000, 6_000);
  await store.save(NONE);
  assertEquals([...Deno.readDirSync(dir.path)], []);
  await store.save(RECORD);
  await Deno.remove(path);
  await store.save(RECORD);
  await store.save({ ...RECORD, files: RECORD.files.slice(1) });
  assertEquals([...Deno.readDirSync(dir.path)], []);
});

Deno.test("createGuardStore() writes what changed since it was loaded", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await storeAt(path, 1_000_000, 6_000).save(RECORD);
  const store = storeAt(path, 1_000_000, 6_000);
  await store.save({ ...await store.load(), departures: [], missingSince: new Map() });
  const record = await storeAt(path, 1_000_000, 6_000).load();
  assertEquals([record.departures, record.missingSince.size, record.files.length], [[], 0, 2]);
});

Deno.test("createGuardStore() reads a record of an early version, which has no files", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await Deno.writeTextFile(path, '{"departures":[],"missing":[{"key":"s/a","since":1000}]}');
  const record = await storeAt(path, 1_000_000, 6_000).load();
  assertEquals([record.missingSince.size, record.files], [1, []]);
});

Deno.test("createGuardStore() writes a record that an early version can read", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await storeAt(path, 1_000_000, 6_000).save(RECORD);
  const { departures, missing } = JSON.parse(await Deno.readTextFile(path));
  assertEquals(departures, [{ service: "s", id: "b", at: 998_000 }]);
  assertEquals(missing, [{ key: "s/a", since: 999_000 }]);
});

const withServers = (services: unknown) => ({
  departures: [],
  missing: [],
  files: [{ digest: "1", services }],
});
const unusable: Record<string, unknown> = {
  "that is empty": "",
  "that is cut off": JSON.stringify(withServers([])).slice(0, -3),
  "that is no object": "[]",
  "with a service that is no text": { departures: [{ service: 7 }] },
  "with a time that is none": { departures: [{ service: "s", id: "a", at: "now" }], missing: [] },
  "with files of another form": { departures: [], missing: [], files: { digest: "1" } },
  "with a server that the registry would reject": withServers([["s", [["a", "10.0.0.5:80\n    bind :22"]]]]),
  "with a name that the registry would reject": withServers([["s\nbackend x", [["a", "10.0.0.5:80"]]]]),
  "with a field of another version": withServers([["s", [["a", '{"address":"10.0.0.5:80","new":1}']]]]),
  "with a service called like a part of the language": withServers([["__proto__", [["a", ""]]]]),
};

for (const [what, content] of Object.entries(unusable)) {
  Deno.test(`createGuardStore() takes a record ${what} for none, and says so once`, async () => {
    await using dir = await tempDir();
    const path = `${dir.path}/guard.json`;
    await Deno.writeTextFile(path, typeof content === "string" ? content : JSON.stringify(content));
    const store = storeAt(path, 1_000_000, 6_000);
    assertEquals([await store.load(), store.errors.length], [NONE, 1]);
    await store.save(RECORD);
    assertEquals(filesOf(await storeAt(path, 1_000_000, 6_000).load()), filesOf(RECORD));
  });
}

Deno.test("createGuardStore() reads back any server", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.tuple(placeName, placeName).map((names) => names.join("/")), goodEntry), {
        minLength: 1,
        maxLength: 3,
      }),
      async (all) => {
        const files = all.map((entries, at) => ({ digest: `${at}`, services: modelOf(entries).services }));
        await storeAt(path, 1_000_000, 6_000).save({ ...RECORD, files });
        const record = await storeAt(path, 1_000_000, 6_000).load();
        const unversioned = (services: readonly Service[]) =>
          services.map(({ name, servers }) => ({
            name,
            servers: servers.map((server) => ({ ...server, revision: 0n })),
          }));
        assertEquals(
          record.files.map(({ services }) => services),
          files.map(({ services }) => unversioned(services)),
        );
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("createGuardStore() knows nothing when there is no record, and says once when it cannot be written", async () => {
  await using dir = await tempDir();
  const none = storeAt(`${dir.path}/guard.json`, 1_000_000, 6_000);
  assertEquals([await none.load(), none.errors], [NONE, []]);
  const away = storeAt(`${dir.path}/missing/guard.json`, 1_000_000, 6_000);
  await away.save(RECORD);
  await away.save(RECORD);
  assertEquals(away.errors.length, 1);
  await Deno.mkdir(`${dir.path}/missing`);
  await away.save(RECORD);
  assertEquals(filesOf(await away.load()), filesOf(RECORD));
});
