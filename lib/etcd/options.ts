import { type Given, nameOf, readFlags, type Sources, usage, type Values, wrong } from "../util/flag.ts";
import { optional, path, setting } from "../util/flag_kinds.ts";

const prefix = { value: "prefix", parse: readPrefix };

/** Settings of the connection to etcd and of the prefixes of keys. */
export const ETCD_FLAGS = {
  endpoints: setting("endpoints ETCD_ENDPOINTS=http://127.0.0.1:2379", "URLs of etcd, separated by commas", {
    value: "urls",
    parse: readEndpoints,
  }),
  cacert: optional(path("cacert ETCD_CACERT", "CA certificate to verify etcd with")),
  cert: optional(path("cert ETCD_CERT", "client certificate")),
  key: optional(path("key ETCD_KEY", "private key of the client certificate")),
  user: optional(
    setting("user ETCD_USER", "etcd user; its password comes from --password-file or ETCD_PASSWORD", {
      value: "name",
      parse: readUser,
    }),
  ),
  passwordFile: optional(path("password-file ETCD_PASSWORD_FILE", "file with the password of the etcd user")),
  servicesPrefix: setting("services-prefix SERVICES_PREFIX=/services/", "where services register", prefix),
  settingsPrefix: setting(
    "settings-prefix SETTINGS_PREFIX=/haproxy/settings/",
    "where operators put their settings",
    prefix,
  ),
  nodesPrefix: setting(
    "nodes-prefix NODES_PREFIX=/haproxy/nodes/",
    "where nodes report what they applied",
    prefix,
  ),
};

export interface EtcdSettings extends Values<typeof ETCD_FLAGS> {
  /** Used when there is no file. It has no flag, because other users of a machine can read flags. */
  readonly password?: string | undefined;
}

/** @throws {ControllerError} (usage) naming the flag or the variable that is wrong */
export function readEtcdOptions(sources: Sources): EtcdSettings {
  const settings = readFlags(ETCD_FLAGS, sources);
  const name = (key: keyof typeof ETCD_FLAGS) => nameOf(ETCD_FLAGS[key], sources);
  const password = sources.env.ETCD_PASSWORD || undefined;
  const { cacert, cert, key, user, passwordFile, servicesPrefix, settingsPrefix, nodesPrefix } = settings;
  if (user !== undefined && (passwordFile ?? password) === undefined) {
    throw usage(`${name("user")} needs ${name("passwordFile")} or ETCD_PASSWORD`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw usage(`${name("cert")} and ${name("key")} go together`);
  }
  const tlsFlag = cacert === undefined ? cert && "cert" : "cacert";
  const scheme = tlsFlag ? "https" : "http";
  const endpoints = settings.endpoints.map((url) => url.includes("://") ? url : `${scheme}://${url}`);
  const schemes = new Set(endpoints.map((url) => url.split(":")[0]));
  if (schemes.size > 1) throw usage(`${name("endpoints")} mixes http and https`);
  if (tlsFlag && !schemes.has("https")) throw usage(`${name(tlsFlag)} needs https in ${name("endpoints")}`);
  if (overlap(servicesPrefix, settingsPrefix)) {
    throw usage(`${name("servicesPrefix")} and ${name("settingsPrefix")} must not contain each other`);
  }
  // A node would be woken by the keys that it writes itself.
  if ([servicesPrefix, `${settingsPrefix}servers/`].some((watched) => overlap(watched, nodesPrefix))) {
    throw usage(`${name("nodesPrefix")} and the prefixes that nodes watch must not contain each other`);
  }
  return { ...settings, endpoints, password };
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function readPrefix(text: string, given: Given): string {
  // Without the last slash `/services/` would match `/services2/` too.
  if (!/^[\x21-\x7e]*\/$/.test(text)) throw wrong(given, "does not end in /");
  return text;
}

function readUser(text: string, { name }: Given): string {
  if (!text.includes(":")) return text;
  throw usage(`${name} takes a name only; set the password with --password-file or ETCD_PASSWORD`);
}

/** Each as `host:port`, with a scheme if it was given with one. */
function readEndpoints(text: string, { name }: Given): readonly string[] {
  const endpoints = text.split(",").map((part) => part.trim().replace(/\/$/, "")).filter((part) =>
    part !== ""
  );
  const bad = endpoints.find((endpoint) => !isEndpoint(endpoint));
  if (bad === undefined && endpoints.length > 0) return endpoints;
  throw usage(`${name} holds no URL such as http://127.0.0.1:2379: ${bad ?? text}`);
}

function isEndpoint(endpoint: string): boolean {
  const text = endpoint.includes("://") ? endpoint : `http://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "" || !/^https?:.*:0*[1-9]\d*$/.test(text)) return false;
  const { pathname, username, password, search, hash } = url;
  return pathname === "/" && `${username}${password}${search}${hash}` === "";
}
