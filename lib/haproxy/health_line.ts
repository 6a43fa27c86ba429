/** A change of a server's health, as HAProxy reports it. */
export interface HealthLine {
  readonly backend: string;
  readonly server: string;
  readonly up: boolean;
  /** In HAProxy's words, such as "Layer4 connection problem, Connection refused"; empty when there is none. */
  readonly reason: string;
}

/**
 * Severity, a date (before 2.3), the process, and a context: after a server was added at run time, HAProxy 2.6 writes
 * "CLI : " in front of all messages.
 */
const HEAD = /^\[WARNING\]\s+(?:\S+ )?\(\d+\) : (?:CLI : (?:'[^']*' : )?)?/;
const SERVER = /(?:Backup )?Server ([^\s/]+)\/([^\s/]+) is (UP|DOWN)/;
const CHANGE = new RegExp(HEAD.source + SERVER.source + "(.*)$");

/** HAProxy encodes quotes inside `info`, so a quote ends it. A line that was cut has no such quote. */
const CHECK = /^, reason: ([^,.]+)(?:, code: (\d+))?(?:, info: "([^"]*))?/;
/** The server follows the state of another one (`track`). */
const TRACKED = /^ (via \S+?)\.?(?: |$)/;
/** With `option log-health-checks` the reason is in another line. */
const BARE = /^(?:\.(?: \d+ active and .*)?)?$/;

/**
 * Reads a line of HAProxy's output; undefined when it reports no change of health. Changes that were asked for (CLI,
 * maintenance, drain, server-state) do not count, nor does "stopping" (`http-check disable-on-404`).
 */
export function readHealthLine(line: string): HealthLine | undefined {
  const [, backend, server, state, rest] = CHANGE.exec(line) ?? [];
  if (backend === undefined || server === undefined || rest === undefined) return undefined;
  const reason = reasonOf(rest);
  return reason === undefined ? undefined : { backend, server, up: state === "UP", reason };
}

function reasonOf(rest: string): string | undefined {
  const check = CHECK.exec(rest);
  if (check !== null) return checkReason(check);
  const tracked = TRACKED.exec(rest);
  if (tracked !== null) return tracked[1];
  return BARE.test(rest) ? "" : undefined;
}

/** An agent has no code; HAProxy shows 0 then. */
function checkReason([, reason = "", code = "0", info = ""]: RegExpExecArray): string {
  const words = [reason, ...(code === "0" ? [] : [`code: ${code}`]), ...(info === "" ? [] : [info])];
  return words.join(", ");
}
