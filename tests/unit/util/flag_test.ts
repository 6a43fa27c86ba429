import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { COMMANDS, nodeSettings, TOPICS } from "../../../lib/cli/commands.ts";
import { ControllerError } from "../../../lib/util/errors.ts";
import { type RawValue, readFlags } from "../../../lib/util/flag.ts";
import { LOG_FLAGS } from "../../../lib/cli/options.ts";

type Given = Readonly<Record<string, RawValue>>;

/** All settings of `run`, read from these flags and variables. */
function read(flags: Given = {}, env: Readonly<Record<string, string>> = {}) {
  const { etcd, render, run, adminBind } = nodeSettings({ flags, env });
  return { ...etcd, ...render, ...run, adminBind, log: readFlags(LOG_FLAGS, { flags, env }) };
}

Deno.test("the options have the defaults of the design", () => {
  assertEquals(read(), {
    endpoints: ["http://127.0.0.1:2379"],
    cacert: undefined,
    cert: undefined,
    key: undefined,
    user: undefined,
    passwordFile: undefined,
    password: undefined,
    servicesPrefix: "/services/",
    settingsPrefix: "/haproxy/settings/",
    nodesPrefix: "/haproxy/nodes/",
    bind: { host: "", port: 80 },
    statsBind: { host: "127.0.0.1", port: 8404 },
    config: "/etc/haproxy/haproxy.cfg",
    stateDir: "/var/lib/etcd-haproxy",
    haproxy: "haproxy",
    template: undefined,
    hardStopAfterMs: 600_000,
    serverNetworks: undefined,
    nodeId: undefined,
    replaceConfig: false,
    attach: undefined,
    nodeTtlMs: 10_000,
    debounceMs: 20,
    maxWaitMs: 500,
    reloadIntervalMs: 1_000,
    apply: "auto",
    source: "mirror",
    guard: { share: 0.5, timeMs: 30_000 },
    admission: "probe",
    stopDelayMs: 0,
    stopTimeoutMs: 25_000,
    adminBind: { host: "127.0.0.1", port: 8405 },
    log: { format: undefined, level: "info" },
  });
});

Deno.test("each command has a flag and a variable only once, named as flags and variables are", () => {
  for (const { topics } of COMMANDS) {
    const flags = topics.flatMap((topic) => Object.values(TOPICS[topic]));
    const names = flags.flatMap(({ name, env }) => env === undefined ? [name] : [name, env]);
    assertEquals(names.filter((name, index) => names.indexOf(name) !== index), []);
    for (const { name, env = "X" } of flags) {
      assertMatch(`${name} ${env}`, /^[a-z]+(-[a-z]+)* [A-Z]+(_[A-Z]+)*$/);
    }
  }
});

type Settings = ReturnType<typeof read>;
const readable: Record<string, [raw: Given, expected: Partial<Settings>]> = {
  "the guard's share and time": [
    { "guard-share": "25", "guard-time": "1m" },
    { guard: { share: 0.25, timeMs: 60_000 } },
  ],
  "the guard switched off": [{ guard: "off" }, { guard: undefined }],
  "milliseconds": [{ debounce: "7ms" }, { debounceMs: 7 }],
  "seconds": [{ "max-wait": "2s" }, { maxWaitMs: 2_000 }],
  "networks": [{ "server-networks": "10.0.0.0/8,::1" }, {
    serverNetworks: [{ ip: "10.0.0.0", prefixLength: 8 }, { ip: "::1", prefixLength: 128 }],
  }],
  "minutes": [{ "hard-stop-after": "3m" }, { hardStopAfterMs: 180_000 }],
  "no time at all": [{ "stop-timeout": "0s" }, { stopTimeoutMs: 0 }],
  "an IPv4 address to listen on": [{ bind: "0.0.0.0:80" }, { bind: { host: "0.0.0.0", port: 80 } }],
  "an IPv6 address to listen on": [{ "admin-bind": "[::1]:65535" }, {
    adminBind: { host: "::1", port: 65_535 },
  }],
  "a name to listen on": [{ "stats-bind": "localhost:1" }, { statsBind: { host: "localhost", port: 1 } }],
  "several endpoints, blanks and slashes aside": [
    { endpoints: "https://etcd1:2379/, https://[::1]:2379," },
    { endpoints: ["https://etcd1:2379", "https://[::1]:2379"] },
  ],
  "an endpoint without scheme, as etcdctl does": [
    { endpoints: "10.0.0.1:2379" },
    { endpoints: ["http://10.0.0.1:2379"] },
  ],
  "nodes' keys beside the overrides": [
    { "settings-prefix": "/haproxy/" },
    { settingsPrefix: "/haproxy/", nodesPrefix: "/haproxy/nodes/" },
  ],
  "a prefix of one's own": [{ "services-prefix": "/shop/lb/" }, { servicesPrefix: "/shop/lb/" }],
  "a certificate with its key": [
    { endpoints: "https://etcd1:2379", cert: "c.pem", key: "k.pem" },
    { endpoints: ["https://etcd1:2379"], cert: "c.pem", key: "k.pem" },
  ],
  "an endpoint without scheme as TLS where a certificate is given": [
    { endpoints: "etcd1:2379", cacert: "ca.pem" },
    { endpoints: ["https://etcd1:2379"], cacert: "ca.pem" },
  ],
  "a user": [{ user: "lb", "password-file": "p" }, { user: "lb", passwordFile: "p" }],
  "an empty value as none": [{ cacert: "", user: "", template: "" }, {}],
  "a node's name": [{ "node-id": "lb1.example:2" }, { nodeId: "lb1.example:2" }],
  "a switch": [{ "replace-config": true }, { replaceConfig: true }],
  "reloads always": [{ apply: "reload" }, { apply: "reload" }],
  "HAProxy's own admission": [{ admission: "none" }, { admission: "none" }],
  "the other source": [{ source: "reread" }, { source: "reread" }],
  "the log's format and level": [
    { "log-format": "json", "log-level": "warn" },
    { log: { format: "json", level: "warn" } },
  ],
};

for (const [what, [raw, expected]] of Object.entries(readable)) {
  Deno.test(`the options take ${what}`, () => assertEquals(read(raw), { ...read(), ...expected }));
}

const refused: Record<string, [raw: Given, message: string]> = {
  "a password on the command line": [{ user: "lb:secret" }, "--user takes a name only"],
  "a user without a password": [{ user: "lb" }, "--user needs --password-file or ETCD_PASSWORD"],
  "a certificate without key": [{ cert: "c.pem" }, "--cert and --key go together"],
  "a key without certificate": [{ key: "k.pem" }, "--cert and --key go together"],
  "a certificate for endpoints without TLS": [
    { endpoints: "http://etcd1:2379", cert: "c.pem", key: "k.pem" },
    "needs https in --endpoints",
  ],
  "an authority for endpoints without TLS": [
    { cacert: "ca.pem" },
    "needs https in --endpoints",
  ],
  "no endpoint": [{ endpoints: " , " }, "--endpoints holds no URL"],
  "a share above 100 percent": [{ "guard-share": "101" }, "--guard-share is not an integer from 0 to 100"],
  "a share that is no number": [{ "guard-share": "half" }, "--guard-share is not an integer from 0 to 100"],
  "a guard without time": [{ "guard-time": "0" }, "--guard-time is out of range"],
  "another mode of the guard": [{ guard: "maybe" }, "--guard is not one of on, off"],
  "an endpoint without port": [{ endpoints: "http://etcd" }, "--endpoints holds no URL"],
  "an endpoint with a path": [{ endpoints: "http://etcd:2379/v3" }, "--endpoints holds no URL"],
  "an endpoint with a password": [{ endpoints: "http://a:b@etcd:2379" }, "--endpoints holds no URL"],
  "another scheme": [{ endpoints: "unix://etcd:2379" }, "--endpoints holds no URL"],
  "endpoints of both schemes": [
    { endpoints: "http://etcd1:2379,https://etcd2:2379" },
    "--endpoints mixes http and https",
  ],
  "a prefix without slash at its end": [
    { "services-prefix": "/services" },
    "--services-prefix does not end in /",
  ],
  "nodes' keys among the services": [
    { "nodes-prefix": "/services/nodes/" },
    "--nodes-prefix and the prefixes that nodes watch must not contain each other",
  ],
  "overrides among the nodes' keys": [
    { "nodes-prefix": "/haproxy/" },
    "--nodes-prefix and the prefixes that nodes watch must not contain each other",
  ],
  "a node's keys that do not outlive a second": [
    { "node-ttl": "999ms" },
    "--node-ttl is out of range: 999ms",
  ],
  "a prefix with a space": [{ "settings-prefix": "/a b/" }, "--settings-prefix does not end in /"],
  "a prefix within the other": [
    { "services-prefix": "/haproxy/settings/s/" },
    "--services-prefix and --settings-prefix must not contain each other",
  ],
  "one prefix for both": [
    { "services-prefix": "/a/", "settings-prefix": "/a/" },
    "--services-prefix and --settings-prefix must not contain each other",
  ],
  "a port of 0": [{ bind: ":0" }, "--bind is not host:port or :port"],
  "a port of 65536": [{ bind: ":65536" }, "--bind is not host:port or :port"],
  "a port alone": [{ bind: "80" }, "--bind is not host:port or :port"],
  "an IPv6 address without brackets": [{ "admin-bind": "::1:80" }, "--admin-bind is not host:port"],
  "further words in an address": [{ "stats-bind": ":80 accept-proxy" }, "--stats-bind is not host:port"],
  "a socket as an address": [{ bind: "/run/lb.sock" }, "--bind is not host:port"],
  "a path with a line break": [{ config: "/etc/a\nb" }, "--config holds a line break"],
  "an empty path": [{ "state-dir": "" }, "--state-dir is empty"],
  "a time with a fraction": [{ debounce: "1.5s" }, "--debounce is not a time such as 500ms, 2s or 10m: 1.5s"],
  "a negative time": [{ debounce: "-1" }, "--debounce is not a time"],
  "hours": [{ "hard-stop-after": "1h" }, "--hard-stop-after is not a time"],
  "a time that no timer takes": [{ "stop-delay": "40000m" }, "--stop-delay is out of range"],
  "no time for old workers": [{ "hard-stop-after": "0" }, "--hard-stop-after is out of range"],
  "an unknown source": [{ source: "poll" }, "--source is not one of mirror, reread: poll"],
  "an unknown way to apply": [{ apply: "runtime" }, "--apply is not one of auto, reload: runtime"],
  "an unknown admission": [{ admission: "check" }, "--admission is not one of probe, none: check"],
  "an unknown level": [{ "log-level": "trace" }, "--log-level is not one of debug, info, warn, error: trace"],
  "an unknown format": [{ "log-format": "xml" }, "--log-format is not one of text, json: xml"],
  "a node's name with a slash": [{ "node-id": "lb/1" }, "--node-id is not 1 to 128"],
  "a node's name of 129 characters": [{ "node-id": "n".repeat(129) }, "--node-id is not 1 to 128"],
};

for (const [what, [raw, message]] of Object.entries(refused)) {
  Deno.test(`the options refuse ${what}, naming the flag`, () => {
    const error = assertThrows(() => read(raw), ControllerError, message);
    assertEquals(error.kind, "usage");
  });
}

Deno.test("the options do not repeat a password in --user", () => {
  const error = assertThrows(() => read({ user: "lb:secret" }), ControllerError);
  assertEquals(error.message.includes("secret"), false);
});

Deno.test("the options name the variable that is wrong, or was given with a flag that does not fit", () => {
  assertThrows(() => read({}, { MAX_WAIT_MS: "x" }), ControllerError, "MAX_WAIT_MS is not a time");
  assertThrows(() => read({}, { ETCD_CERT: "c.pem" }), ControllerError, "ETCD_CERT and --key go together");
  const prefixes = { "services-prefix": "/a/" };
  assertThrows(
    () => read(prefixes, { SETTINGS_PREFIX: "/a/" }),
    ControllerError,
    "--services-prefix and SETTINGS_PREFIX must not contain each other",
  );
});

Deno.test("the options take the password from its variable alone", () => {
  assertEquals(read({}, { ETCD_PASSWORD: "secret" }).password, "secret");
  assertEquals(read({ password: "secret" }, { ETCD_PASSWORD: "" }).password, undefined);
});
