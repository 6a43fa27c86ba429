import type { ConfigText } from "../config/text.ts";
import type { ObservedServer, ObservedServers } from "./observed.ts";
import { comparable, type ComparableAddress, type ComparableServer } from "../config/server_line.ts";

/** Version of the format and its columns (management manual, "show servers state"). */
const HEADER = [
  "1",
  "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
  "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
  "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr " +
  "srv_agent_addr srv_agent_port",
];
const COLUMNS = { admin: 6, userWeight: 7, initialWeight: 8 };

/**
 * The server-state file for a reload to `config`: the health of every server that stays what it was, so that a server
 * whose check fails gets no request from the new worker, and a row that says "down" for every server that is unready.
 * Administrative state and weight are those of the new text. A server with a new address has no row otherwise, because a
 * row's address wins over the configuration's.
 */
export function serverStateText(
  config: ConfigText,
  observed: ObservedServers,
  unready: ReadonlySet<string>,
): string {
  const rows = [...config.servers].flatMap(([backend, lines]) =>
    lines.flatMap((line) => {
      const wanted = comparable(line);
      if (wanted.maint) return [];
      if (unready.has(`${backend}/${line.name}`)) return unreadyRow({ backend, server: line.name }, wanted);
      const running = observed.get(backend)?.get(line.name);
      if (running === undefined || running.maint || wanted.id !== running.id) return [];
      return sameAddress(wanted.address, running) ? [runningRow(running, wanted.weight)] : [];
    })
  );
  return `${[...HEADER, ...rows].join("\n")}\n`;
}

/** A name has no row: what it resolved to is for HAProxy to find out again. */
function sameAddress(wanted: ComparableAddress | undefined, running: ObservedServer): boolean {
  return wanted?.kind === "ip" && wanted.host === running.ip && wanted.port === running.port;
}

function runningRow(running: ObservedServer, weight: number): string {
  return running.row.split(" ").map((value, column) => {
    if (column === COLUMNS.admin) return "0";
    return column === COLUMNS.userWeight || column === COLUMNS.initialWeight ? String(weight) : value;
  }).join(" ");
}

/** The row of a server that HAProxy has not seen yet: names count, ids do not; operational state 0 keeps it down. */
function unreadyRow(place: { backend: string; server: string }, wanted: ComparableServer): string[] {
  const { address, weight } = wanted;
  if (address?.kind !== "ip") return [];
  const failedCheck = "8 2 0 6";
  const names = `0 ${place.backend} 0 ${place.server} ${address.host}`;
  return [`${names} 0 0 ${weight} ${weight} 0 ${failedCheck} 0 0 0 - ${address.port} - 0 0 - - 0`];
}
