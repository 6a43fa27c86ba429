import { assertEquals, assertThrows } from "@std/assert";
import { ControllerError } from "../../../lib/util/errors.ts";
import { type RawValue, readFlags } from "../../../lib/util/flag.ts";
import {
  OPERATOR_FLAGS,
  readServerName,
  readStatusOptions,
  readWeight,
  type StatusOptions,
} from "../../../lib/cli/options.ts";

type Given = Readonly<Record<string, RawValue>>;

const status = (flags: Given) => readStatusOptions({ flags, env: {} });

const readable: Record<string, [raw: Given, expected: Partial<StatusOptions>]> = {
  "no waiting": [{}, { wait: undefined, timeoutMs: 30_000, json: false, watch: false }],
  "waiting for the newest change": [{ wait: true }, { wait: "newest" }],
  "waiting for a revision": [{ wait: "12" }, { wait: 12n }],
  "a time": [{ timeout: "2m" }, { timeoutMs: 120_000 }],
  "a live table": [{ watch: true }, { watch: true }],
};

for (const [what, [raw, expected]] of Object.entries(readable)) {
  Deno.test(`readStatusOptions() reads ${what}`, () => {
    const options = status(raw);
    assertEquals({ ...options, ...expected }, options);
  });
}

const refused: Record<string, [read: () => unknown, message: string]> = {
  "a revision that is none": [() => status({ wait: "-1" }), "--wait is not a revision: -1"],
  "a live table as JSON": [
    () => status({ watch: true, json: true }),
    "--watch goes with neither --json nor --wait",
  ],
  "a live table that waits": [
    () => status({ watch: true, wait: true }),
    "--watch goes with neither --json nor --wait",
  ],
  "a time that is none": [
    () => readFlags(OPERATOR_FLAGS, { flags: { timeout: "soon" }, env: {} }),
    "--timeout is not a time such as 500ms, 2s or 10m: soon",
  ],
  "a weight above 256": [() => readWeight("257"), "weight is not an integer from 0 to 256: 257"],
  "a weight that is no integer": [() => readWeight("1e2"), "weight is not an integer from 0 to 256: 1e2"],
};

for (const name of ["a", "a/", "/b", "a/b/c", "a/b\n", "a b/c", `a/${"b".repeat(129)}`]) {
  const message = `not <service>/<id>, each 1 to 128 of the characters A-Z a-z 0-9 . _ : -: ${name}`;
  refused[`the server name ${JSON.stringify(name)}`] = [() => readServerName(name), message];
}

for (const [what, [read, message]] of Object.entries(refused)) {
  Deno.test(`${what} is a usage error`, () => {
    const error = assertThrows(read, ControllerError, message);
    assertEquals(error.kind, "usage");
  });
}

Deno.test("readServerName() reads a service and an id", () => {
  assertEquals(readServerName("api/web-1:80"), { service: "api", id: "web-1:80" });
});

Deno.test("readWeight() reads 0 and 256", () => assertEquals(["0", "256"].map(readWeight), [0, 256]));
