import { canonicalIp } from "../../registry/address.ts";
import type { ObservedServer, ObservedServers } from "../../plan/observed.ts";
import type { Alert } from "../../reconcile/ports.ts";

// Replies of HAProxy's sockets as values. Layouts: management manual, 9.3 ("show servers state", "show env") and 9.4.1
// ("show proc").

/** One process of the master-worker family. */
export interface WorkerProcess {
  readonly pid: number;
  /** How many reloads were made since its start. */
  readonly reloads: number;
}

/** The answer to `show proc`. */
export interface ProcessTable {
  readonly masterPid: number;
  readonly reloads: number;
  /** Reloads that failed since the last that succeeded. */
  readonly failedReloads: number;
  readonly workers: readonly WorkerProcess[];
  readonly oldWorkers: readonly WorkerProcess[];
}

/** Reads the answer to `show proc`; undefined for another text. */
export function parseProcesses(reply: string): ProcessTable | undefined {
  const master = /^(\d+)\s+master\s+(\d+)\s+(?:\[failed:\s*(\d+)\])?/m.exec(reply);
  if (master === null) return undefined;
  const [current = "", old = ""] = reply.split("# old workers");
  return {
    masterPid: Number(master[1]),
    reloads: Number(master[2]),
    failedReloads: Number(master[3] ?? 0),
    workers: workerRows(current),
    oldWorkers: workerRows(old),
  };
}

function workerRows(text: string): WorkerProcess[] {
  return [...text.matchAll(/^(\d+)\s+worker\s+(\d+)\s/gm)].map((row) => ({
    pid: Number(row[1]),
    reloads: Number(row[2]),
  }));
}

/** Reads the answer to `show env NAME`; undefined when the variable is not set. */
export function parseEnv(reply: string, name: string): string | undefined {
  const line = reply.split("\n").find((line) => line.startsWith(`${name}=`));
  return line?.slice(name.length + 1);
}

/** In maintenance now; 0x04 only says that the configuration asked for it once. */
const MAINT_BIT = 0x01;
const DRAIN_BIT = 0x08;
/** An empty column. */
const NONE = "-";
/** The last column that is read: `srv_port`. */
const PORT_COLUMN = 18;

/** Reads the answer to `show servers state`; undefined for another text. */
export function parseServersState(reply: string): ObservedServers | undefined {
  const lines = reply.split("\n");
  if (!lines.some((line) => line.startsWith("# be_id be_name srv_id"))) return undefined;
  const backends = new Map<string, Map<string, ObservedServer>>();
  for (const row of lines) {
    const columns = row.split(" ");
    if (row.startsWith("#") || columns.length <= PORT_COLUMN) continue;
    const [, backend = "", id, name = "", address = NONE, operational, adminBits, weight] = columns;
    const [fqdn, port] = columns.slice(PORT_COLUMN - 1);
    const admin = Number(adminBits);
    const servers = backends.get(backend) ?? new Map<string, ObservedServer>();
    servers.set(name, {
      name,
      id: Number(id),
      ip: address === NONE ? undefined : canonicalIp(address),
      port: Number(port),
      fqdn: fqdn === NONE ? undefined : fqdn,
      weight: Number(weight),
      maint: (admin & MAINT_BIT) !== 0,
      draining: (admin & DRAIN_BIT) !== 0,
      up: Number(operational) > 0,
      row,
    });
    backends.set(backend, servers);
  }
  return backends;
}

/** Reads the answer to `show servers conn`: requests in progress by `<backend>/<server>`. Columns: management manual, 9.3. */
export function parseUsedConnections(reply: string): Map<string, number> {
  const rows = reply.split("\n").filter((line) => /^[^#\s]+\/\S+ \d+\/\d+ /.test(line)).map((line) =>
    line.split(" ")
  );
  return new Map(rows.map((row) => [row[0] ?? "", Number(row[6])]));
}

/** The messages of the alerts in HAProxy's output. */
export function alertsIn(output: string): string[] {
  const lines = output.split("\n").filter((line) => line.startsWith("[ALERT]"));
  return lines.map((line) => line.replace(/^\[ALERT\]\s*\(\d+\)\s*:\s*(config : )?/, "").trim());
}

/** Reads the alerts in the output of `haproxy -c`; alerts that only sum up are left out. */
export function parseAlerts(output: string, path: string): Alert[] {
  return alertsIn(output.replaceAll(path, "haproxy.cfg"))
    .filter((message) => !/^(Error\(s\) found|Fatal errors found)/.test(message))
    .map((message) => ({ message, line: alertLine(message), server: alertServer(message) }));
}

function alertLine(message: string): number | undefined {
  const match = /\[haproxy\.cfg:(\d+)\]/.exec(message);
  return match === null ? undefined : Number(match[1]);
}

function alertServer(message: string): { backend: string; server: string } | undefined {
  const quoted = /'server ([A-Za-z0-9._:-]+)\/([A-Za-z0-9._:-]+)'/.exec(message);
  const match = quoted ?? /\bserver ([A-Za-z0-9._:-]+)\/([A-Za-z0-9._:-]*[A-Za-z0-9._-])/.exec(message);
  return match === null ? undefined : { backend: match[1] ?? "", server: match[2] ?? "" };
}
