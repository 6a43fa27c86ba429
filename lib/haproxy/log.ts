import { log } from "../util/log.ts";

/** Warnings of an ordinary reload: a retired worker ends, and the server-state file exists only during the reload. */
const ORDINARY_WARNING = new RegExp(
  [
    "Proxy \\S+ stopped",
    "Former worker .* exited with code 0",
    "Can't open global server state file",
    // HAProxy writes one for each runtime command.
    "\\(leaving forced maintenance\\)|for maintenance|forced maintenance",
    "enters drain state|leaving forced drain|changed from (CLI|server-state)",
  ].join("|"),
);

/** Logs a line of HAProxy's output; its level comes from the severity at the start of the line. */
export function logHaproxyLine(line: string): void {
  const fields = { line };
  if (ORDINARY_WARNING.test(line)) return log().debug("haproxy", fields);
  if (line.startsWith("[ALERT]")) return log().error("haproxy", fields);
  if (line.startsWith("[WARNING]")) return log().warn("haproxy", fields);
  log().debug("haproxy", fields);
}
