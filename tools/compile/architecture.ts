/** An architecture that the program is made for, as the kernel calls it. */
export type Architecture = "x86_64" | "aarch64";

export const ARCHITECTURES: readonly Architecture[] = ["x86_64", "aarch64"];

/** Docker's names for the same. */
const ALIASES: ReadonlyMap<string, Architecture> = new Map([["amd64", "x86_64"], ["arm64", "aarch64"]]);

/** The machine in an ELF header (`e_machine`). */
const ELF_MACHINES: ReadonlyMap<number, Architecture> = new Map([[0x3e, "x86_64"], [0xb7, "aarch64"]]);

/** Reads the name of an architecture, the kernel's or Docker's. */
export function parseArchitecture(name: string): Architecture | undefined {
  return ARCHITECTURES.find((architecture) => architecture === name) ?? ALIASES.get(name);
}

/** Reads the architecture of a program from its first 20 bytes; `undefined` for anything but an ELF program for one of ours. */
export function elfArchitecture(header: Uint8Array): Architecture | undefined {
  const isElf = header.length >= 20 && String.fromCharCode(...header.subarray(0, 4)) === "\x7fELF";
  if (!isElf) return undefined;
  const isLittleEndian = header[5] === 1;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return ELF_MACHINES.get(view.getUint16(18, isLittleEndian));
}
