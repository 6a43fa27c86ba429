import { type Host, parseHost } from "../lib/address.ts";
import { ControllerError } from "../lib/errors.ts";
import { defaultId, nameOf } from "../lib/own_entry.ts";

/** What the example service is told by its environment. */
export interface BackendOptions {
  readonly endpoints: readonly string[];
  readonly servicesPrefix: string;
  /** Where load-balancer nodes tell what they serve. */
  readonly nodesPrefix: string;
  readonly service: string;
  /** The last part of its key: unique among the replicas of a service, the same for as long as the process lives. */
  readonly id: string;
  /** What it answers with. */
  readonly name: string;
  readonly port: number;
  /** The host under which it is registered; `undefined`: its own address. */
  readonly host: Host | undefined;
  readonly leaseTtlSeconds: number;
  /** How long nodes may take to drain it when it leaves. */
  readonly drainTimeoutMs: number;
}

/** One day. */
const MAX_TTL_SECONDS = 86_400;

const NAME = /^[A-Za-z0-9._:-]{1,128}$/;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment. A variable that is empty counts as absent, as compose files write it.
 *
 * @throws {ControllerError} of kind `usage`, naming the variable that is wrong
 */
export function parseBackendOptions(env: Environment, hostname: string): BackendOptions {
  const port = integer(env, "SERVICE_PORT", { fallback: 8080, min: 1, max: 65_535 });
  return {
    endpoints: endpoints(env),
    servicesPrefix: prefix(env, "SERVICES_PREFIX", "/services/"),
    nodesPrefix: prefix(env, "NODES_PREFIX", "/haproxy/nodes/"),
    service: name(env, "SERVICE_NAME", "backend"),
    id: defaultId(hostname, port),
    name: name(env, "BACKEND_NAME", nameOf(hostname)),
    port,
    host: host(env),
    leaseTtlSeconds: integer(env, "LEASE_TTL", { fallback: 10, min: 1, max: MAX_TTL_SECONDS }),
    drainTimeoutMs: duration(env, "DRAIN_TIMEOUT_MS", "10s"),
  };
}

function endpoints(env: Environment): string[] {
  const text = env.ETCD_ENDPOINTS || "http://127.0.0.1:2379";
  const urls = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  if (urls.length === 0 || !urls.every(isEndpoint)) {
    throw wrong("ETCD_ENDPOINTS", text, "URLs such as http://127.0.0.1:2379, separated by commas");
  }
  if (new Set(urls.map((url) => new URL(url).protocol)).size > 1) {
    throw wrong("ETCD_ENDPOINTS", text, "either all http:// or all https://");
  }
  return urls.map((url) => url.replace(/\/$/, ""));
}

function isEndpoint(text: string): boolean {
  return /^https?:\/\/[^/?#@\s]+:[0-9]+\/?$/.test(text) && URL.canParse(text);
}

function prefix(env: Environment, variable: string, fallback: string): string {
  const text = env[variable] || fallback;
  if (!text.endsWith("/")) throw wrong(variable, text, "a prefix of keys that ends in /");
  return text;
}

function name(env: Environment, variable: string, fallback: string): string {
  const text = env[variable] || fallback;
  if (!NAME.test(text)) throw wrong(variable, text, "1 to 128 of the characters A-Z a-z 0-9 . _ : -");
  return text;
}

function host(env: Environment): Host | undefined {
  const text = env.SERVICE_ADDRESS;
  if (!text) return undefined;
  const parsed = parseHost(text);
  if (!parsed.ok) throw wrong("SERVICE_ADDRESS", text, `a host without a port (${parsed.reason})`);
  return parsed.value;
}

function integer(
  env: Environment,
  variable: string,
  { fallback, min, max }: { fallback: number; min: number; max: number },
): number {
  const text = env[variable] || String(fallback);
  const value = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || value < min || value > max) {
    throw wrong(variable, text, `an integer from ${min} to ${max}`);
  }
  return value;
}

/** Milliseconds of a number with `ms`, `s` or `m`; a bare number is milliseconds. */
function duration(env: Environment, variable: string, fallback: string): number {
  const text = env[variable] || fallback;
  const match = /^([0-9]{1,6})(ms|s|m)?$/.exec(text);
  if (match === null) throw wrong(variable, text, "a time such as 500ms, 10s or 1m");
  return Number(match[1]) * (match[2] === "m" ? 60_000 : match[2] === "s" ? 1_000 : 1);
}

function wrong(variable: string, text: string, wanted: string): ControllerError {
  return new ControllerError("usage", `Cannot use ${variable} ${JSON.stringify(text)}: it must be ${wanted}`);
}
