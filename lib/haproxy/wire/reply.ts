import { canonicalIp } from "../../registry/address.ts";
import type { ObservedServer, ObservedServers } from "../../plan/observed.ts";
import type { Alert } from "../../reconcile/ports.ts";

// Replies of HAProxy's sockets as values. Layouts: management manual, 9.3 ("show servers state", "show env") and 9.4.1
// ("show proc").

/** One process of the master-worker family. */
export interface WorkerProcess {
  readonly pid: number;
  /** How many reloads it has survived. */
  readonly reloads: number;
}

/** What `show proc` tells. */
export interface ProcessTable {
  readonly masterPid: number;
  readonly reloads: number;
  /** Reloads that failed since the last that succeeded. */
  readonly failedReloads: number;
  readonly workers: readonly WorkerProcess[];
  readonly oldWorkers: readonly WorkerProcess[];
}

/** Reads the answer to `show proc`; undefined when it is none. */
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

/** Put into maintenance; 0x04 only remembers that the configuration said so once. */
const MAINT_BIT = 0x01;
const DRAIN_BIT = 0x08;
const COLUMNS = {
  backend: 1,
  id: 2,
  name: 3,
  address: 4,
  operational: 5,
  admin: 6,
  weight: 7,
  fqdn: 17,
  port: 18,
};

/** Reads the answer to `show servers state`; undefined when it is none. */
export function parseServersState(reply: string): ObservedServers | undefined {
  const lines = reply.split("\n");
  if (!lines.some((line) => line.startsWith("# be_id be_name srv_id"))) return undefined;
  const backends = new Map<string, Map<string, ObservedServer>>();
  for (const line of lines) {
    const columns = line.split(" ");
    if (line.startsWith("#") || columns.length <= COLUMNS.port) continue;
    const backend = columns[COLUMNS.backend] ?? "";
    const servers = backends.get(backend) ?? new Map<string, ObservedServer>();
    const server = observedServer(line, columns);
    servers.set(server.name, server);
    backends.set(backend, servers);
  }
  return backends;
}

function observedServer(row: string, columns: readonly string[]): ObservedServer {
  const text = (column: number) => columns[column] ?? "-";
  const optional = (column: number) => text(column) === "-" ? undefined : text(column);
  const address = optional(COLUMNS.address);
  return {
    name: text(COLUMNS.name),
    id: Number(text(COLUMNS.id)),
    ip: address === undefined ? undefined : canonicalIp(address),
    port: Number(text(COLUMNS.port)),
    fqdn: optional(COLUMNS.fqdn),
    weight: Number(text(COLUMNS.weight)),
    maint: (Number(text(COLUMNS.admin)) & MAINT_BIT) !== 0,
    draining: (Number(text(COLUMNS.admin)) & DRAIN_BIT) !== 0,
    up: Number(text(COLUMNS.operational)) > 0,
    row,
  };
}

/** Reads the answer to `show servers conn`: requests in progress by `<backend>/<server>`. Columns: management manual, 9.3. */
export function parseUsedConnections(reply: string): Map<string, number> {
  const rows = reply.split("\n").filter((line) => /^[^#\s]+\/\S+ \d+\/\d+ /.test(line)).map((line) =>
    line.split(" ")
  );
  return new Map(rows.map((row) => [row[0] ?? "", Number(row[6])]));
}

/** Reads the alerts in the output of `haproxy -c`; those that only sum up are left out. */
export function parseAlerts(output: string, path: string): Alert[] {
  return output.split("\n")
    .filter((line) => line.startsWith("[ALERT]"))
    .map((line) =>
      line.replace(/^\[ALERT\]\s*\(\d+\)\s*:\s*(config : )?/, "").replaceAll(path, "haproxy.cfg").trim()
    )
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
