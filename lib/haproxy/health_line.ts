/** That a server went up or down because of its health, as HAProxy reports it. */
export interface HealthLine {
  readonly backend: string;
  readonly server: string;
  readonly up: boolean;
  /** In HAProxy's words, such as "Layer4 connection problem, Connection refused"; empty when it gave none. */
  readonly reason: string;
}

/**
 * Severity, perhaps a date (before 2.3), the process, perhaps a context: HAProxy 2.6 keeps "CLI : " in front of all
 * messages after a server was added at run time.
 */
const HEAD = /^\[WARNING\]\s+(?:\S+ )?\(\d+\) : (?:CLI : (?:'[^']*' : )?)?/;
const SERVER = /(?:Backup )?Server ([^\s/]+)\/([^\s/]+) is (UP|DOWN)/;
const CHANGE = new RegExp(HEAD.source + SERVER.source + "(.*)$");

/** HAProxy encodes a quote in `info`, so a quote ends it. A line that was cut may lack its end. */
const CHECK = /^, reason: ([^,.]+)(?:, code: (\d+))?(?:, info: "([^"]*))?/;
/** Of a server that follows the state of another one (`track`). */
const TRACKED = /^ (via \S+?)\.?(?: |$)/;
/** `option log-health-checks` puts the reason in a line of its own. */
const BARE = /^(?:\.(?: \d+ active and .*)?)?$/;

/**
 * Reads a line of HAProxy's output. Undefined when it tells no change of health; what HAProxy was told to change
 * (CLI, maintenance, drain, server-state) is none. Nor is "stopping" (`http-check disable-on-404`), which is neither up
 * nor down.
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
