import { type Address, formatAddress } from "./address.ts";
import type { Check, Server } from "./entry.ts";

/** The entry of a process. */
export interface OwnEntry {
  readonly address: Address;
  readonly weight?: number | undefined;
  readonly maxconn?: number | undefined;
  readonly meta?: Readonly<Record<string, string>> | undefined;
}

/** The value of a process's key. Undefined fields are left out. */
export function entryValue(entry: OwnEntry, state: "ready" | "drain"): string {
  const { address, weight, maxconn, meta } = entry;
  return JSON.stringify({ address: formatAddress(address), state, weight, maxconn, meta });
}

/** The shortest value of an entry that asks for this server: `parseEntry()` reads the same server from it. */
export function serverValue({ address, weight, state, backup, maxconn, tls, proto, check }: Server): string {
  const text = formatAddress(address);
  const fields = JSON.stringify({
    weight: weight === 100 ? undefined : weight,
    state: state === "ready" ? undefined : state,
    backup: backup || undefined,
    maxconn: maxconn || undefined,
    ssl: tls.kind === "on" || undefined,
    verify: tls.kind === "on" ? tls.verify : undefined,
    proto: proto === "h1" ? undefined : proto,
    check: checkValue(check),
  });
  return fields === "{}" ? text : `{"address":${JSON.stringify(text)},${fields.slice(1)}`;
}

function checkValue(check: Check) {
  if (check.kind === "off") return { disabled: true };
  const { port, path } = check;
  return port === undefined && path === undefined ? undefined : { port, path };
}

/** The id of a process: the host's name tells containers apart, and the port tells processes on one host apart. */
export function defaultId(hostname: string, port: number): string {
  const suffix = `-${port}`;
  return nameOf(hostname).slice(0, 128 - suffix.length) + suffix;
}

/** A host's name as a name in the registry. */
export function nameOf(hostname: string): string {
  return hostname.replace(/[^A-Za-z0-9._:-]/g, "-").slice(0, 128) || "backend";
}
