import { assertEquals, assertThrows } from "@std/assert";
import { runtimeArchitecture } from "../../../../tools/compile/runtime.ts";

const X86_64 = "\x7fELF\x02\x01\x01" + "\0".repeat(9) + "\x03\0\x3e\0";
const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

Deno.test("runtimeArchitecture() takes a runtime of the same version, and one that does not tell its version", () => {
  assertEquals(runtimeArchitecture(bytes(`${X86_64}...denover2.9.62.9.6...`), "2.9.6"), "x86_64");
  assertEquals(runtimeArchitecture(bytes(`${X86_64}...`), "2.9.6"), "x86_64");
});

Deno.test("runtimeArchitecture() refuses a runtime of another version", () => {
  assertThrows(
    () => runtimeArchitecture(bytes(`${X86_64}...denover2.7.11...`), "2.9.6"),
    Error,
    "Cannot use DENORT_BIN: it is a runtime for another version than deno 2.9.6",
  );
});

Deno.test("runtimeArchitecture() refuses what is no program", () => {
  assertThrows(
    () => runtimeArchitecture(bytes("PK\x03\x04 a zip file, not unpacked"), "2.9.6"),
    Error,
    "Cannot use DENORT_BIN: it is no program for x86_64 or aarch64",
  );
});
