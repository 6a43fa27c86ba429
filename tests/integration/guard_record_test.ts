import { assertEquals } from "@std/assert";
import { createGuardStore } from "../../lib/guard/record.ts";
import { createStateFiles } from "../../lib/haproxy/state/files.ts";
import type { GuardRecord } from "../../lib/guard/apply_guard.ts";
import { tempDir } from "../support/mod.ts";

const RECORD: GuardRecord = {
  departures: [{ service: "s", id: "b", at: 4_000 }],
  missingSince: new Map([["s/a", 5_000]]),
};
const NONE: GuardRecord = { departures: [], missingSince: new Map() };

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
  assertEquals(await later.load(), {
    departures: [{ service: "s", id: "b", at: 200 - 12_000 }],
    missingSince: new Map([["s/a", 200 - 11_000]]),
  });
  assertEquals(later.errors, []);
});

Deno.test("createGuardStore() lets nothing lie in the future when the clock went back", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  await storeAt(path, 1_000_000, 6_000).save(RECORD);
  const record = await storeAt(path, 500_000, 200).load();
  assertEquals([record.departures[0]?.at, record.missingSince.get("s/a")], [200, 200]);
});

Deno.test("createGuardStore() writes nothing when nothing changed", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  const store = storeAt(path, 1_000_000, 6_000);
  await store.save(NONE);
  assertEquals([...Deno.readDirSync(dir.path)], []);
  await store.save(RECORD);
  await Deno.remove(path);
  await store.save(RECORD);
  assertEquals([...Deno.readDirSync(dir.path)], []);
});

Deno.test("createGuardStore() takes a record that cannot be read or written for none, and says so", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/guard.json`;
  assertEquals(await storeAt(path, 1_000_000, 6_000).load(), NONE);
  await Deno.writeTextFile(path, `{"departures":[{"service":7}]}`);
  const broken = storeAt(path, 1_000_000, 6_000);
  assertEquals([await broken.load(), broken.errors.length], [NONE, 1]);
  const away = storeAt(`${dir.path}/missing/guard.json`, 1_000_000, 6_000);
  await away.save(RECORD);
  assertEquals(away.errors.length, 1);
});
