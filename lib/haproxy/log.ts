import { log } from "../util/log.ts";

/** What HAProxy says at every reload: a retired worker ends, and the server-state file is there only when it is needed. */
const ORDINARY_WARNING = new RegExp(
  [
    "Proxy \\S+ stopped",
    "Former worker .* exited with code 0",
    "Can't open global server state file",
    // What it says of each change that it was told.
    "\\(leaving forced maintenance\\)|for maintenance|forced maintenance",
    "enters drain state|leaving forced drain|changed from (CLI|server-state)",
  ].join("|"),
);

/** Logs a line of HAProxy's output, which has severity in front of it. */
export function logHaproxyLine(line: string): void {
  const fields = { line };
  if (ORDINARY_WARNING.test(line)) return log().debug("haproxy", fields);
  if (line.startsWith("[ALERT]")) return log().error("haproxy", fields);
  if (line.startsWith("[WARNING]")) return log().warn("haproxy", fields);
  log().debug("haproxy", fields);
}
