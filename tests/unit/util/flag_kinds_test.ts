import { assertEquals, assertThrows } from "@std/assert";
import { ControllerError } from "../../../lib/util/errors.ts";
import {
  defaultText,
  type Flag,
  nameOf,
  type RawValue,
  readFlags,
  type Sources,
} from "../../../lib/util/flag.ts";
import {
  bind,
  choice,
  duration,
  integer,
  optional,
  pairs,
  path,
  setting,
  switchFlag,
  text,
} from "../../../lib/util/flag_kinds.ts";

const MODE = choice("mode MODE=fast", "how", { of: ["fast", "safe"] });
const WAIT = duration("wait WAIT_MS=2s", "how long", { minMs: 10 });
const QUIET = duration("quiet QUIET_MS=20ms", "how quiet");
const COUNT = integer("count COUNT=3", "how many", { min: 1, max: 5 });
const BIND = bind("bind BIND=:80", "where");
const PATH = path("file FILE=/etc/x", "which file");
const NAME = text("name NAME", "who");
const LEVEL = optional(integer("level LEVEL", "how high", { min: 0, max: 9 }), "as it is");
const QUICK = switchFlag("quick", "do not wait");
const META = pairs("meta", "what else");
const EVEN = setting("even EVEN", "a list", { value: "list", parse: (text) => text.split(",") });

function read(flag: Flag<unknown>, sources: Partial<Sources>): unknown {
  return readFlags({ it: flag }, { env: {}, ...sources }).it;
}

const GOOD: readonly (readonly [flag: Flag<unknown>, raw: RawValue, value: unknown])[] = [
  [MODE, "safe", "safe"],
  [MODE, undefined, "fast"],
  [WAIT, "10ms", 10],
  [WAIT, "3s", 3_000],
  [WAIT, "2m", 120_000],
  [WAIT, undefined, 2_000],
  [QUIET, "0", 0],
  [QUIET, "0s", 0],
  [COUNT, "1", 1],
  [COUNT, "5", 5],
  [COUNT, undefined, 3],
  [BIND, ":8080", { host: "", port: 8080 }],
  [BIND, "[::1]:1", { host: "::1", port: 1 }],
  [BIND, "localhost:65535", { host: "localhost", port: 65_535 }],
  [BIND, undefined, { host: "", port: 80 }],
  [PATH, "a b", "a b"],
  [NAME, "web1", "web1"],
  [LEVEL, "0", 0],
  [LEVEL, "", undefined],
  [LEVEL, undefined, undefined],
  [QUICK, true, true],
  [QUICK, undefined, false],
  [META, ["a=1"], { a: "1" }],
  [META, ["a=1", "b=x=y", "c=", "a=2"], { a: "2", b: "x=y", c: "" }],
  [META, undefined, undefined],
  [EVEN, "2,4", ["2", "4"]],
];

for (const [flag, raw, value] of GOOD) {
  Deno.test(`--${flag.name} takes ${JSON.stringify(raw) ?? "nothing"}`, () => {
    assertEquals(read(flag, { flags: { [flag.name]: raw } }), value);
  });
}

const BAD: readonly (readonly [flag: Flag<unknown>, raw: RawValue, says: string])[] = [
  [MODE, "slow", "--mode is not one of fast, safe: slow"],
  [MODE, "", "--mode is empty"],
  [WAIT, "soon", "--wait is not a time such as 500ms, 2s or 10m: soon"],
  [WAIT, "1h", "--wait is not a time such as 500ms, 2s or 10m: 1h"],
  [WAIT, "1.5s", "--wait is not a time"],
  [WAIT, "-1s", "--wait is not a time"],
  [WAIT, "9ms", "--wait is out of range: 9ms"],
  [WAIT, "0", "--wait is out of range: 0"],
  [WAIT, "40000m", "--wait is out of range: 40000m"],
  [WAIT, "5", "--wait 5 has no unit: did you mean 5s?"],
  [WAIT, "200", "--wait 200 has no unit: did you mean 200s or 200ms?"],
  [WAIT, "500", "--wait 500 has no unit: did you mean 500ms?"],
  [QUIET, "5", "--quiet 5 has no unit: did you mean 5s or 5ms?"],
  [QUIET, "30", "--quiet 30 has no unit: did you mean 30ms?"],
  [COUNT, "0", "--count is not an integer from 1 to 5: 0"],
  [COUNT, "6", "--count is not an integer from 1 to 5: 6"],
  [COUNT, "1e0", "--count is not an integer from 1 to 5: 1e0"],
  [BIND, "80", "--bind is not host:port or :port: 80"],
  [BIND, ":0", "--bind is not host:port or :port: :0"],
  [BIND, ":65536", "--bind is not host:port or :port: :65536"],
  [BIND, "::1:80", "--bind is not host:port or :port: ::1:80"],
  [PATH, "a\nb", "--file holds a line break"],
  [NAME, undefined, "--name is missing"],
  [NAME, "", "--name is empty"],
  [LEVEL, "ten", "--level is not an integer from 0 to 9: ten"],
  [META, ["a=1", "b"], "--meta is not name=value: b"],
  [META, ["=1"], "--meta is not name=value: =1"],
];

for (const [flag, raw, says] of BAD) {
  Deno.test(`--${flag.name} refuses ${JSON.stringify(raw) ?? "nothing"}`, () => {
    const error = assertThrows(() => read(flag, { flags: { [flag.name]: raw } }), ControllerError, says);
    assertEquals(error.kind, "usage");
  });
}

Deno.test("readFlags() takes the flag, else the variable, else the default; an empty variable is unset", () => {
  assertEquals(read(COUNT, { flags: { count: "1" }, env: { COUNT: "2" } }), 1);
  assertEquals(read(COUNT, { flags: {}, env: { COUNT: "2" } }), 2);
  assertEquals(read(COUNT, { flags: {}, env: { COUNT: "" } }), 3);
  assertEquals(read(LEVEL, { flags: {}, env: { LEVEL: "" } }), undefined);
  assertThrows(() => read(NAME, { flags: {}, env: { NAME: "" } }), ControllerError, "--name is missing");
});

Deno.test("readFlags() takes a bare number of milliseconds from a variable, and one with a unit", () => {
  assertEquals(["20", "20ms", "1s"].map((text) => read(WAIT, { flags: {}, env: { WAIT_MS: text } })), [
    20,
    20,
    1_000,
  ]);
});

Deno.test("readFlags() names the flag or the variable that is wrong", () => {
  const env = { COUNT: "9" };
  assertThrows(
    () => read(COUNT, { flags: {}, env }),
    ControllerError,
    "COUNT is not an integer from 1 to 5: 9",
  );
  assertThrows(
    () => read(COUNT, { flags: { count: "8" }, env }),
    ControllerError,
    "--count is not an integer",
  );
});

Deno.test("nameOf() is the flag of a setting that is not set, or its variable where there is no command line", () => {
  assertEquals(nameOf(COUNT, { flags: {}, env: {} }), "--count");
  assertEquals(nameOf(COUNT, { env: {} }), "COUNT");
  assertThrows(() => read(NAME, { env: {} }), ControllerError, "NAME is missing");
});

Deno.test("defaultText() tells the default as help shows it", () => {
  assertEquals([COUNT, LEVEL, NAME, QUICK].map(defaultText), [
    "default 3",
    "default: as it is",
    "required",
    "",
  ]);
});
