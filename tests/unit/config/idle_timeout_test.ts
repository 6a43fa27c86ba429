import { assertEquals } from "@std/assert";
import { idleLimitMs, longestIdleMs } from "../../../lib/config/idle_timeout.ts";

const EMBEDDED = await Deno.readTextFile(new URL("../../../templates/haproxy.cfg.eta", import.meta.url));
const FRONTEND = "frontend f\n  bind :80\n";

const texts: Record<string, [text: string, limitMs: number | undefined]> = {
  "those of keep-alive and of the request that follows it, one after the other": [EMBEDDED, 7_000],
  "the same where that of keep-alive is the longer one": [
    `defaults\n timeout http-request 1s\n timeout http-keep-alive 1m\n timeout client 2m\n${FRONTEND}`,
    61_000,
  ],
  "that of a request twice where keep-alive has none": [
    `defaults\n timeout http-request 700\n timeout client 2m\n${FRONTEND}`,
    1_400,
  ],
  "that of the client twice where neither is set": [`defaults\n timeout client 1h\n${FRONTEND}`, 7_200_000],
  "none where nothing is set": [`defaults\n mode http\n${FRONTEND}`, undefined],
  "none where a timeout is switched off": [
    `defaults\n timeout http-request 0\n timeout http-keep-alive 1s\n${FRONTEND}`,
    undefined,
  ],
  "none where a time cannot be read": [`defaults\n timeout http-request "$T"\n${FRONTEND}`, undefined],
  "the section's own before that of its defaults": [
    `defaults\n timeout http-request 1s\n${FRONTEND}  timeout http-request 3s\n`,
    6_000,
  ],
  "the longest of several places": [
    `defaults\n timeout http-request 1s\n${FRONTEND}listen l\n  timeout http-keep-alive 9s\n`,
    10_000,
  ],
  "that of the defaults by name": [
    `defaults a\n timeout http-request 1s\ndefaults b from a\n timeout http-keep-alive 4s\n` +
    `defaults c\n timeout http-request 8s\nfrontend f from b\n  bind :80\n`,
    5_000,
  ],
  "0 where no client is let in": ["defaults\n timeout http-request 1s\nbackend b\n", 0],
};

for (const [what, [text, limitMs]] of Object.entries(texts)) {
  Deno.test(`idleLimitMs() tells ${what}`, () => assertEquals(idleLimitMs(text), limitMs));
}

Deno.test("longestIdleMs() is the longest of all, and infinite where one has no end", () => {
  const baseOf = (time: string) => `defaults\n timeout http-request ${time}\n${FRONTEND}`;
  assertEquals(longestIdleMs([]), 0);
  assertEquals(longestIdleMs([baseOf("1s"), baseOf("3s"), baseOf("2s")]), 6_000);
  assertEquals(longestIdleMs([baseOf("1s"), FRONTEND]), Infinity);
});
