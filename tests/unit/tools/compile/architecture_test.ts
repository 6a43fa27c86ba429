import { assertEquals } from "@std/assert";
import { elfArchitecture, parseArchitecture } from "../../../../tools/compile/architecture.ts";

function elfHeader(machine: number, { bigEndian = false } = {}): Uint8Array {
  const header = new Uint8Array(20);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, bigEndian ? 2 : 1]);
  new DataView(header.buffer).setUint16(18, machine, !bigEndian);
  return header;
}

Deno.test("parseArchitecture() knows the kernel's names and Docker's", () => {
  assertEquals(["x86_64", "amd64", "aarch64", "arm64", "riscv64", ""].map(parseArchitecture), [
    "x86_64",
    "x86_64",
    "aarch64",
    "aarch64",
    undefined,
    undefined,
  ]);
});

Deno.test("elfArchitecture() reads the machine of an ELF header", () => {
  assertEquals(elfArchitecture(elfHeader(0x3e)), "x86_64");
  assertEquals(elfArchitecture(elfHeader(0xb7)), "aarch64");
  assertEquals(elfArchitecture(elfHeader(0xb7, { bigEndian: true })), "aarch64");
});

Deno.test("elfArchitecture() does not guess: another machine, another kind of file, a short one", () => {
  assertEquals(elfArchitecture(elfHeader(0xf3)), undefined);
  assertEquals(elfArchitecture(new TextEncoder().encode("#!/bin/sh\nexec deno run x\n")), undefined);
  assertEquals(elfArchitecture(elfHeader(0x3e).subarray(0, 19)), undefined);
});
