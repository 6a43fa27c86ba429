import { configure, getLogger, type Logger, type LogRecord } from "@logtape/logtape";
import { asciiJson, escapeText } from "./escape.ts";
import { stderrLines } from "./stderr.ts";

export type LogFormat = "text" | "json";
export type LogLevel = "debug" | "info" | "warning" | "error";

/** A key can be as long as a value: more than a megabyte. */
const MAX_FIELD_LENGTH = 2_000;

const stderr = stderrLines((lines) => log().error("log lines lost", { lines }));

/**
 * Sends log lines to standard error. Messages are constant; values that vary are fields. A slow reader of the log delays
 * neither the controller nor HAProxy, whose own lines are read to be logged.
 */
export async function configureLog(options: { format: LogFormat; level: LogLevel }): Promise<void> {
  const format = options.format === "json" ? jsonLine : textLine;
  await configure({
    reset: true,
    sinks: { stderr: (record) => stderr.put(format(record)) },
    loggers: [
      { category: ["etcd-haproxy"], sinks: ["stderr"], lowestLevel: options.level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
}

/** Gives the last lines a moment to be written; for the end of the program. */
export const flushLog = stderr.flush;

/** The program's logger. */
export function log(): Logger {
  return getLogger(["etcd-haproxy"]);
}

/** One record as JSON, in ASCII. */
export function jsonLine(record: LogRecord): string {
  const { timestamp, level, properties } = record;
  const fields = {
    time: new Date(timestamp).toISOString(),
    level,
    message: messageOf(record),
    ...properties,
  };
  return `${asciiJson(fields, { maxLength: MAX_FIELD_LENGTH })}\n`;
}

/** One record as text: `name=value` after the message, values escaped. */
export function textLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const fields = Object.entries(record.properties)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${fieldText(value)}`);
  return [time, record.level.toUpperCase().padEnd(7), messageOf(record), ...fields].join(" ") + "\n";
}

function fieldText(value: unknown): string {
  const text = typeof value === "object" && value !== null ? asciiJson(value) : String(value);
  const escaped = escapeText(text, MAX_FIELD_LENGTH);
  return /[\s"=]/.test(escaped) || escaped === "" ? `"${escaped.replaceAll('"', '\\"')}"` : escaped;
}

function messageOf(record: LogRecord): string {
  return record.message.map(String).join("");
}
