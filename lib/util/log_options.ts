import { choice, optional } from "./flag_kinds.ts";

/** Settings of the log. */
export const LOG_FLAGS = {
  format: optional(
    choice("log-format LOG_FORMAT", "text or json", { of: ["text", "json"], value: "format" }),
    "text on a terminal, else json",
  ),
  level: choice("log-level LOG_LEVEL=info", "debug, info, warn or error", {
    of: ["debug", "info", "warn", "error"],
    value: "level",
  }),
};
