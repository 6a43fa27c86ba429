import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { filesAtStart, findFile, type KnownFile, withNext } from "../../../lib/guard/known_files.ts";
import type { Service } from "../../../lib/registry/model.ts";
import { modelOf } from "../fixtures.ts";

/** The services of a text. */
function servicesOf(text: string): readonly Service[] {
  return modelOf({ [`s/${text}`]: "10.0.0.5:80" }).services;
}

/** A node's disk, and a controller that writes in the order of a pass; it can be killed between any two calls. */
class Disk {
  file: string | undefined;
  lastGood: string | undefined;
  record: readonly KnownFile[] = [];
  /** What the controller remembers. */
  #files: readonly KnownFile[] = [];
  #reached: string | undefined;
  #isKept = true;

  putOnRecord(text: string): void {
    const isGood = this.#isKept && this.file === this.#reached;
    this.record = this.#files = withNext(this.#files, {
      text,
      services: servicesOf(text),
      onDisk: this.file,
      isGood,
    });
  }

  rename(text: string): void {
    this.file = text;
  }

  verify(isKept: boolean): void {
    this.#reached = this.file;
    this.#isKept = isKept;
    if (isKept) this.lastGood = this.file;
  }

  putBack(): void {
    this.file = this.lastGood;
  }

  restart(): void {
    this.#files = filesAtStart(this.record, { lastGood: this.lastGood, onDisk: this.file });
    [this.#reached, this.#isKept] = [undefined, true];
  }

  /** What the record tells of the file and of the last good one, which HAProxy may be started from. */
  get known(): (readonly Service[] | undefined)[] {
    return [this.file, this.lastGood].filter((text) => text !== undefined)
      .map((text) => findFile(this.record, text)?.services);
  }

  assertKnown(): void {
    const texts = [this.file, this.lastGood].filter((text) => text !== undefined);
    assertEquals(this.known, texts.map(servicesOf));
  }
}

/** A node that serves G. */
function servingG(): Disk {
  const disk = new Disk();
  disk.putOnRecord("G");
  disk.rename("G");
  disk.verify(true);
  return disk;
}

const crashPoints: Record<string, (disk: Disk) => void> = {
  "before the record is written": () => {},
  "between record and rename": (disk) => disk.putOnRecord("N"),
  "after the rename": (disk) => {
    disk.putOnRecord("N");
    disk.rename("N");
  },
  "after a failed reload, when the last good file is back": (disk) => {
    disk.putOnRecord("N");
    disk.rename("N");
    disk.putBack();
  },
  "after a reload that was not verified, when the next file is on record": (disk) => {
    disk.putOnRecord("F");
    disk.rename("F");
    disk.putOnRecord("N");
  },
  "after the next failed reload, when a file before the last is back": (disk) => {
    disk.putOnRecord("F");
    disk.rename("F");
    disk.putOnRecord("N");
    disk.rename("N");
    disk.putBack();
  },
  "when the file was verified and could not be kept": (disk) => {
    disk.putOnRecord("N");
    disk.rename("N");
    disk.verify(false);
    disk.putOnRecord("M");
  },
  "when the file was verified and kept": (disk) => {
    disk.putOnRecord("N");
    disk.rename("N");
    disk.verify(true);
  },
};

for (const [when, bring] of Object.entries(crashPoints)) {
  Deno.test(`withNext() has a record that knows the file and the last good one ${when}`, () => {
    const disk = servingG();
    bring(disk);
    disk.assertKnown();
    // The next controller writes too, and may be killed as well.
    disk.restart();
    disk.putOnRecord("O");
    disk.assertKnown();
    disk.rename("O");
    disk.assertKnown();
  });
}

const end = fc.constantFrom("recorded", "renamed", "put-back", "not-verified", "not-kept", "kept");
const passes = fc.array(fc.record({ text: fc.constantFrom(..."ABCDE"), end, isKilled: fc.boolean() }), {
  maxLength: 30,
});

Deno.test("withNext() has a record of three files at most that knows the file, whenever a controller is killed", () => {
  fc.assert(fc.property(passes, (passes) => {
    const disk = servingG();
    for (const { text, end, isKilled } of passes) {
      disk.putOnRecord(text);
      disk.assertKnown();
      assertEquals(disk.record.length <= 3, true);
      if (end !== "recorded") disk.rename(text);
      if (end === "put-back") disk.putBack();
      if (end === "kept" || end === "not-kept") disk.verify(end === "kept");
      disk.assertKnown();
      if (isKilled) disk.restart();
    }
  }));
});

Deno.test("withNext() drops files that nothing can bring back", () => {
  const disk = servingG();
  for (const text of ["N", "M"]) {
    disk.putOnRecord(text);
    disk.rename(text);
    disk.verify(true);
  }
  assertEquals(findFile(disk.record, "G"), undefined);
  assertEquals(disk.record.length, 2);
});

Deno.test("findFile() knows nothing of a text that was written by another hand, and of none", () => {
  const { record } = servingG();
  assertEquals(findFile(record, "G")?.services, servicesOf("G"));
  assertEquals([findFile(record, "G "), findFile(record, undefined), findFile([], "G")], [
    undefined,
    undefined,
    undefined,
  ]);
});
