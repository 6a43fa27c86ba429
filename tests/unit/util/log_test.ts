import { assertEquals, assertMatch } from "@std/assert";
import { configureLog, flushLog, log, type LogFormat, type LogLevel } from "../../../lib/util/log.ts";

/** What is written to standard error while `run` logs. */
async function written(
  options: { format: LogFormat; level?: LogLevel },
  run: () => void,
): Promise<string[]> {
  const original = Deno.stderr.write;
  const bytes: number[] = [];
  await configureLog({ level: "debug", ...options });
  // One byte less than it was given, as a pipe may take it.
  Deno.stderr.write = (chunk) => {
    const taken = chunk.subarray(0, Math.max(1, chunk.length - 1));
    bytes.push(...taken);
    return Promise.resolve(taken.length);
  };
  try {
    run();
    await flushLog();
  } finally {
    Deno.stderr.write = original;
  }
  return new TextDecoder().decode(new Uint8Array(bytes)).split("\n").slice(0, -1);
}

const HOSTILE = 'a\nFATAL "x"=\x1b[2J\\';

Deno.test("configureLog() writes a line of text: time, level, message, fields", async () => {
  const [line] = await written({ format: "text" }, () => {
    log().warn("entry rejected", {
      key: "/services/s/a",
      revision: 7n,
      why: "no port",
      steps: ["a"],
      none: undefined,
    });
  });
  assertMatch(
    line ?? "",
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING entry rejected key=\/services\/s\/a revision=7 why="no port" steps="\[\\"a\\"\]"$/,
  );
});

Deno.test("configureLog() writes a line of JSON with the same, numbers as numbers", async () => {
  const [line] = await written({ format: "json" }, () => {
    log().info("applied", { revision: 7n, steps: ["a"], nested: { at: 8n } });
  });
  const { time, ...fields } = JSON.parse(line ?? "{}");
  assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(fields, { level: "info", message: "applied", revision: 7, steps: ["a"], nested: { at: 8 } });
});

for (const hostile of [HOSTILE, "\x9b2J", "\u202e", "x y=z", "\r\n"]) {
  Deno.test(`configureLog() keeps ${JSON.stringify(hostile)} on its line and in its field`, async () => {
    const lines = await written(
      { format: "text" },
      () => log().error("entry rejected", { key: hostile, at: "" }),
    );
    assertEquals(lines.length, 1);
    assertMatch(
      lines[0] ?? "",
      /^\S+ ERROR {3}entry rejected key=([\x21\x23-\x3c\x3e-\x7e]+|"([\x20\x21\x23-\x5b\x5d-\x7e]|\\.)*") at=""$/,
    );
  });
}

Deno.test("configureLog() keeps hostile text in its JSON field", async () => {
  const lines = await written({ format: "json" }, () => log().error("entry rejected", { key: HOSTILE }));
  assertEquals(lines.map((line) => JSON.parse(line).key), [HOSTILE]);
});

const levels: Record<LogLevel, string[]> = {
  debug: ["debug", "info", "warning", "error"],
  info: ["info", "warning", "error"],
  warning: ["warning", "error"],
  error: ["error"],
};

for (const [level, expected] of Object.entries(levels)) {
  Deno.test(`configureLog() writes nothing below the level ${level}`, async () => {
    const lines = await written({ format: "json", level: level as LogLevel }, () => {
      log().debug("x");
      log().info("x");
      log().warn("x");
      log().error("x");
    });
    assertEquals(lines.map((line) => JSON.parse(line).level), expected);
  });
}

Deno.test("configureLog() keeps working while the log is not read, and reports what was lost when it is read again", async () => {
  const original = Deno.stderr.write;
  await configureLog({ format: "text", level: "info" });
  Deno.stderr.write = () => Promise.reject(new Deno.errors.BrokenPipe());
  try {
    log().info("x");
    await flushLog();
  } finally {
    Deno.stderr.write = original;
  }
  const lines = await written({ format: "json" }, () => log().info("y"));
  const said = lines.map((line) => JSON.parse(line)).map(({ message, lines }) => [message, lines]);
  assertEquals(said, [["y", undefined], ["log lines lost", 1]]);
});

Deno.test("configureLog() writes a field that holds a revision deep inside", async () => {
  const [line] = await written({ format: "text" }, () => log().info("x", { nested: { at: 8n } }));
  assertMatch(line ?? "", /nested=/);
});

Deno.test("configureLog() writes JSON in ASCII, so that no terminal obeys a field", async () => {
  const reason = "\x9b31m\u202e\u2028";
  const [line] = await written({ format: "json" }, () => log().info("x", { reason }));
  assertMatch(line ?? "", /^[\x20-\x7e]+$/);
  assertEquals(JSON.parse(line ?? "").reason, reason);
});

for (const format of ["text", "json"] as const) {
  Deno.test(`configureLog() cuts a field that is longer than a line of ${format} should be`, async () => {
    const [line = ""] = await written(
      { format },
      () => log().warn("entry rejected", { key: "\x9b".repeat(1e6) }),
    );
    assertMatch(line, /\.\.\. \(1000000 characters\)/);
    assertEquals(line.length < 20_000, true);
  });
}
