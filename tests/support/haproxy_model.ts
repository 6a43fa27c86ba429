import { paramKeywords } from "../../lib/config/server_line.ts";

/** One server as the model runs it. Bits of `admin` are HAProxy's: 1 maint, 4 disabled in the file once, 8 drain. */
export interface ModelServer {
  readonly backend: string;
  readonly name: string;
  readonly id: number;
  ip: string;
  fqdn: string;
  port: number;
  weight: number;
  readonly initialWeight: number;
  admin: number;
  isUp: boolean;
  readonly isChecked: boolean;
  /** A check that is configured runs only when it is enabled, for a server that was added at run time. */
  checks: boolean;
  /** Requests in progress; `del server` is refused while there are any. */
  connections: number;
}

const MAINT = 1;
const DISABLED = 4;
const DRAIN = 8;

const HEADER =
  "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
  "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
  "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr " +
  "srv_agent_addr srv_agent_port\n";

/**
 * What a HAProxy 2.6 worker does with its configuration, its server-state file and the command lines for servers, as far as the
 * servers of its backends go. It has no traffic, no clock and no checks of its own: health changes when a test says so.
 */
export class HaproxyModel {
  #base: string | undefined;
  readonly #backends = new Map<string, Map<string, ModelServer>>();

  /** A start with a configuration, and with a server-state file if there is one. */
  load(config: string, stateFile = ""): void {
    this.#base = /^\s*setenv ETCD_HAPROXY_BASE (\S+)$/m.exec(config)?.[1];
    this.#backends.clear();
    let backend: string | undefined;
    for (const line of config.split("\n")) {
      const [keyword = "", name = "", ...params] = line.trim().split(/\s+/);
      if (/^[a-z]/.test(line)) backend = keyword === "backend" ? name : undefined;
      if (backend === undefined) continue;
      const servers = this.#backends.get(backend) ?? new Map<string, ModelServer>();
      this.#backends.set(backend, servers);
      if (keyword === "server") servers.set(name, serverOf({ backend, name, params, servers }));
    }
    for (const row of stateFile.split("\n").slice(2)) this.#restore(row.split(" "));
  }

  /** The digest of the base that was loaded. */
  get base(): string | undefined {
    return this.#base;
  }

  /** All servers, in their order. */
  get servers(): ModelServer[] {
    return [...this.#backends.values()].flatMap((servers) => [...servers.values()]);
  }

  /** The server `backend/name`. */
  server(key: string): ModelServer | undefined {
    const [backend = "", name = ""] = key.split("/");
    return this.#backends.get(backend)?.get(name);
  }

  /** Whether a server gets new requests. */
  serves(key: string): boolean {
    const server = this.server(key);
    return server !== undefined && server.isUp && (server.admin & (MAINT | DRAIN)) === 0 && server.weight > 0;
  }

  /**
   * Carries out one line of commands with `;` between them; an error does not stop the rest. `watch` is called after
   * each of them, where traffic could come between.
   */
  run(line: string, watch: () => void = () => {}): string {
    return line.split(";").map((command) => {
      const reply = this.#command(command.trim());
      watch();
      return reply === "" ? "" : `${reply}\n`;
    }).join("");
  }

  /** Every server on a line of its own: address, weight, and what keeps it from serving. */
  toString(): string {
    return this.servers.map((server) => {
      const state = server.admin & MAINT ? "maint" : server.admin & DRAIN ? "drain" : "ready";
      const host = server.fqdn === "-" ? server.ip : server.fqdn;
      const health = server.isUp ? "up" : "down";
      return `${server.backend}/${server.name} ${host}:${server.port} weight ${server.weight} ${state} ${health}`;
    }).join("\n");
  }

  #command(command: string): string {
    const [verb, what, key = "", ...rest] = command.split(/\s+/);
    if (verb === "show") return this.#show(rest[0] ?? "");
    if (verb === "add") return this.#add(key, rest);
    const server = this.server(key);
    if (server === undefined) return "[3]: No such server.";
    if (verb === "del") return this.#delete(server);
    if (verb === "enable" && what === "server") return leaveMaint(server);
    if (verb === "enable" && what === "health") return enableHealth(server);
    if (verb === "set") return set(server, rest);
    return `[3]: Unknown command: '${command}'`;
  }

  #show(backend: string): string {
    const servers = backend === "" ? this.servers : [...this.#backends.get(backend)?.values() ?? []];
    return `${HEADER}${servers.map((server) => `${stateRow(server)}\n`).join("")}`;
  }

  #add(key: string, params: string[]): string {
    const [backend = "", name = ""] = key.split("/");
    const servers = this.#backends.get(backend);
    if (servers === undefined) return "[3]: No such backend.";
    if (servers.has(name)) return "[3]: Already exists a server with the same name in backend.";
    const refused = params.find((word) => word === "resolvers" || word === "init-addr");
    if (refused !== undefined) return `[3]: '${refused}' option is not accepted for dynamic server`;
    const server = serverOf({ backend, name, params, servers });
    if ([...servers.values()].some(({ id }) => id === server.id)) return "[3]: Already exists the id.";
    server.admin |= MAINT;
    server.isUp = false;
    server.checks = false;
    servers.set(name, server);
    return "[6]: New server registered.";
  }

  #delete({ backend, name, admin, connections }: ModelServer): string {
    if ((admin & MAINT) === 0) return "[3]: Only servers in maintenance mode can be deleted.";
    if (connections > 0) return "[3]: Server still has connections attached to it, cannot remove it.";
    this.#backends.get(backend)?.delete(name);
    return "[6]: Server deleted.";
  }

  /** Names count, ids do not; the address of the file wins over the configuration's. */
  #restore(row: string[]): void {
    const server = this.server(`${row[1]}/${row[3]}`);
    if (server === undefined || (server.admin & MAINT) !== 0) return;
    server.ip = row[4] ?? "-";
    server.port = Number(row[18]);
    server.isUp = Number(row[5]) > 0;
    server.admin |= Number(row[6]) & (MAINT | DRAIN);
    if (Number(row[8]) === server.initialWeight) server.weight = Number(row[7]);
  }
}

function serverOf(
  { backend, name, params, servers }: {
    backend: string;
    name: string;
    params: readonly string[];
    servers: ReadonlyMap<string, ModelServer>;
  },
): ModelServer {
  const [address = ""] = params;
  // A name of a server may be spelled like a keyword: "check-sni id".
  const options = paramKeywords(params.join(" "));
  const match = /^(?:\[(.*)\]|(\d+\.\d+\.\d+\.\d+)|(.*)):(\d+)$/.exec(address);
  const ip = match?.[1] ?? match?.[2];
  const argument = (keyword: string) => {
    const value = options.get(keyword);
    return value === undefined ? undefined : Number(value);
  };
  const weight = argument("weight") ?? 1;
  const isDisabled = options.has("disabled");
  return {
    backend,
    name,
    id: argument("id") ?? servers.size + 1,
    ip: ip ?? "-",
    fqdn: ip === undefined ? match?.[3] ?? "-" : "-",
    port: Number(match?.[4] ?? 0),
    weight,
    initialWeight: weight,
    admin: isDisabled ? MAINT | DISABLED : 0,
    isUp: !isDisabled && ip !== undefined,
    isChecked: options.has("check"),
    checks: options.has("check"),
    connections: 0,
  };
}

/** Leaving maintenance always sets the health to up. */
function leaveMaint(server: ModelServer): string {
  if ((server.admin & MAINT) !== 0) server.isUp = server.ip !== "-";
  server.admin &= ~(MAINT | DRAIN);
  return "";
}

function enableHealth(server: ModelServer): string {
  if (!server.isChecked) return "[3]: Health check was not configured on this server, cannot enable it.";
  server.checks = true;
  return "";
}

function set(server: ModelServer, [what, value = "", , port]: string[]): string {
  if (what === "state") return setState(server, value);
  if (what === "health") return setHealth(server, value);
  if (what === "addr") {
    server.ip = value;
    server.port = Number(port);
    return "[4]: changed by 'stats socket command'";
  }
  if (what !== "weight") return "[3]: 'set server <srv>' only supports 'agent', 'health', ...";
  if (Number(value) > 256) return "[3]: Absolute weight can only be between 0 and 256 inclusive.";
  server.weight = Number(value);
  return "";
}

function setState(server: ModelServer, state: string): string {
  if (state === "ready") return leaveMaint(server);
  if (state === "drain") {
    leaveMaint(server);
    server.admin |= DRAIN;
  } else {
    server.admin = server.admin & ~DRAIN | MAINT;
    server.isUp = false;
  }
  return "";
}

/** In maintenance the health is not looked at. */
function setHealth(server: ModelServer, health: string): string {
  if ((server.admin & MAINT) === 0) server.isUp = health === "up";
  return "";
}

function stateRow(server: ModelServer): string {
  const { backend, name, id, ip, isUp, admin, weight, initialWeight, fqdn, port } = server;
  return `3 ${backend} ${id} ${name} ${ip} ${
    isUp ? 2 : 0
  } ${admin} ${weight} ${initialWeight} 1 6 3 4 6 0 0 1 ${fqdn} ${port} - 0 0 - - 0`;
}
