import { type Address, formatAddress } from "../lib/address.ts";

/** The value that a backend puts under its key. */
export function entryValue(address: Address, state: "ready" | "drain"): string {
  return JSON.stringify({ address: formatAddress(address), state });
}
