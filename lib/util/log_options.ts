import { optional, type RawOptions, readChoice, spec } from "./options.ts";

/** Settings of the log. */
export const LOG_OPTIONS = [
  spec(
    "log-format",
    "format",
    "LOG_FORMAT",
    undefined,
    "text or json (default: text on a terminal, else json)",
  ),
  spec("log-level", "level", "LOG_LEVEL", "info", "debug, info, warn or error"),
] as const;

export interface LogSettings {
  readonly format: "text" | "json" | undefined;
  readonly level: "debug" | "info" | "warning" | "error";
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readLogOptions(raw: RawOptions): LogSettings {
  const level = readChoice(raw, "log-level", ["debug", "info", "warn", "error"]);
  const format = optional(raw, "log-format") === undefined
    ? undefined
    : readChoice(raw, "log-format", ["text", "json"]);
  return { format, level: level === "warn" ? "warning" : level };
}
