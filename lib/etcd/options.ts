import { optional, type RawOptions, spec, text, usage } from "../util/options.ts";

/** Settings by which etcd is reached and the registry is laid out. */
export const ETCD_OPTIONS = [
  spec(
    "endpoints",
    "urls",
    "ETCD_ENDPOINTS",
    "http://127.0.0.1:2379",
    "etcd's client URLs, separated by commas",
  ),
  spec("cacert", "file", "ETCD_CACERT", undefined, "CA that etcd's certificate is checked against"),
  spec("cert", "file", "ETCD_CERT", undefined, "client certificate"),
  spec("key", "file", "ETCD_KEY", undefined, "key of the client certificate"),
  spec(
    "user",
    "name",
    "ETCD_USER",
    undefined,
    "etcd user; the password comes from --password-file or ETCD_PASSWORD",
  ),
  spec("password-file", "file", "ETCD_PASSWORD_FILE", undefined, "file with the etcd password"),
  spec("services-prefix", "prefix", "SERVICES_PREFIX", "/services/", "where services register"),
  spec(
    "settings-prefix",
    "prefix",
    "SETTINGS_PREFIX",
    "/haproxy/settings/",
    "where operators' settings stand",
  ),
  spec("nodes-prefix", "prefix", "NODES_PREFIX", "/haproxy/nodes/", "where nodes tell what they serve"),
] as const;

export interface EtcdSettings {
  readonly endpoints: readonly string[];
  readonly cacert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
  /** Used where there is no file. It has no flag, because everybody on the machine can read those. */
  readonly password?: string;
  readonly servicesPrefix: string;
  readonly settingsPrefix: string;
  readonly nodesPrefix: string;
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readEtcdOptions(raw: RawOptions): EtcdSettings {
  const cert = optional(raw, "cert");
  const key = optional(raw, "key");
  if ((cert === undefined) !== (key === undefined)) throw usage("--cert and --key go together");
  const user = optional(raw, "user");
  if (user?.includes(":")) {
    throw usage("--user takes a name only; give the password by --password-file or ETCD_PASSWORD");
  }
  const cacert = optional(raw, "cacert");
  const scheme = cacert === undefined && cert === undefined ? "http" : "https";
  const endpoints = readEndpoints(text(raw, "endpoints"), scheme);
  if (scheme === "https" && endpoints.some((endpoint) => endpoint.startsWith("http:"))) {
    throw usage("--cacert and --cert need --endpoints of https");
  }
  const settings = {
    endpoints,
    cacert,
    cert,
    key,
    user,
    passwordFile: optional(raw, "password-file"),
    servicesPrefix: readPrefix(raw, "services-prefix"),
    settingsPrefix: readPrefix(raw, "settings-prefix"),
    nodesPrefix: readPrefix(raw, "nodes-prefix"),
  };
  const { servicesPrefix, settingsPrefix, nodesPrefix } = settings;
  if (holdEachOther(servicesPrefix, settingsPrefix)) {
    throw usage("--services-prefix and --settings-prefix must not hold each other");
  }
  // What a node puts would wake it.
  if ([servicesPrefix, `${settingsPrefix}servers/`].some((watched) => holdEachOther(watched, nodesPrefix))) {
    throw usage("--nodes-prefix and the prefixes that nodes watch must not hold each other");
  }
  return settings;
}

/** The settings with the password of the environment, if there is one: it has no flag. */
export function withPassword(settings: EtcdSettings, password: string | undefined): EtcdSettings {
  return password === undefined ? settings : { ...settings, password };
}

function holdEachOther(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function readPrefix(raw: RawOptions, flag: string): string {
  const value = text(raw, flag);
  // Without the last slash `/services/` would match `/services2/` too.
  if (!/^[\x21-\x7e]*\/$/.test(value)) throw usage(`--${flag} does not end in /: ${value}`);
  return value;
}

function readEndpoints(value: string, scheme: "http" | "https"): string[] {
  const endpoints = value.split(",").map((endpoint) => endpoint.trim()).filter((endpoint) => endpoint !== "");
  const normal = endpoints.map((endpoint) =>
    /^https?:\/\//.test(endpoint) ? endpoint : `${scheme}://${endpoint}`
  );
  const bad = normal.find((endpoint) => !isEndpoint(endpoint));
  if (bad !== undefined || normal.length === 0) {
    throw usage(`--endpoints holds no URL such as http://127.0.0.1:2379: ${bad ?? value}`);
  }
  if (new Set(normal.map((endpoint) => endpoint.split(":")[0])).size > 1) {
    throw usage("--endpoints mixes http and https");
  }
  return normal.map((endpoint) => endpoint.replace(/\/$/, ""));
}

function isEndpoint(endpoint: string): boolean {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || url.hostname === "" || !/:\d+\/?$/.test(endpoint)) return false;
  return url.pathname === "/" &&
    [url.username, url.password, url.search, url.hash].every((part) => part === "");
}
