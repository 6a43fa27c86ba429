/**
 * What the embedded template can put into a configuration, and the controller on HAProxy's socket, said a second time and
 * without any of the code that writes them: whatever does not fit came from somewhere else.
 */

const NAME = "[A-Za-z0-9._:-]{1,128}";
const IPV4 = "[0-9]{1,3}(?:\\.[0-9]{1,3}){3}";
const IPV6 = "[0-9a-f:]+(?:[0-9.]+)?";
const HOST_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,252}";
const NUMBER = "[0-9]{1,10}";
const PATH_TEXT = "/[A-Za-z0-9\\-._~!&()*+,;=:@/?%]{0,255}";

const PARAMS = [
  `(?:${IPV4}|\\[${IPV6}\\]|${HOST_NAME}):${NUMBER} weight ${NUMBER}`,
  `(?: check(?: port ${NUMBER})? inter 2s fastinter 500ms downinter 1s rise 2 fall 3` +
  " observe layer4 error-limit 3 on-error mark-down)?",
  `(?: maxconn ${NUMBER})?`,
  `(?: ssl (?:verify none|verify required ca-file @system-ca)` +
  `(?: sni str\\(${HOST_NAME}\\) check-sni ${HOST_NAME})?(?: verifyhost ${HOST_NAME})?(?: alpn h2)?)?`,
  "(?: proto h2)?(?: backup)? pool-purge-delay 5s pool-max-conn -1",
  "(?: init-addr none resolvers etcd-haproxy)?(?: disabled)?",
  `(?: id ${NUMBER})?`,
].join("");

/** Lines by section; of `backend` all but the first may be missing. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  "": ["# Managed by etcd-haproxy"],
  "defaults": [
    ...["mode http", "timeout connect 2s", "timeout client 60s", "timeout server 60s", "timeout tunnel 1h"],
    ...["timeout queue 5s", "timeout http-request 5s", "timeout http-keep-alive 2s", "option forwardfor"],
    "# A replaced worker answers once more on an idle connection before it closes it\\.",
    "option idle-close-on-response",
    "# Most servers of a service may be gone before a check fails, so there are many tries, each on another server\\.",
    ...["option redispatch 1", "retries 10"],
    ...[
      "retry-on conn-failure empty-response",
      "balance roundrobin",
      "load-server-state-from-file global",
    ],
  ],
  "frontend main": [
    `bind ${IPV4}:${NUMBER}`,
    "# A request that may have had an effect must not be sent twice\\.",
    "http-request disable-l7-retry unless METH_GET",
    "default_backend backend",
  ],
  "frontend stats": [
    `bind ${IPV4}:${NUMBER}`,
    "http-request use-service prometheus-exporter if { path /metrics }".replaceAll(/[{}]/g, "\\$&"),
    ...["stats enable", "stats uri /", "stats refresh 5s"],
  ],
  "backend": [
    "option httpchk",
    `http-check send meth GET uri '?${PATH_TEXT}'? ver HTTP/1\\.1 hdr Host ${NAME}`,
    "http-check expect status 200-399",
    `server ${NAME} ${PARAMS}`,
  ],
  "resolvers etcd-haproxy": ["parse-resolv-conf"],
  "global": [
    "stats socket /[A-Za-z0-9/._-]+ mode 600 level admin expose-fd listeners",
    "server-state-file /[A-Za-z0-9/._-]+",
    "hard-stop-after [0-9]+ms",
    "setenv ETCD_HAPROXY_BASE [0-9a-f]{64}",
  ],
};

const RULES = new Map(
  Object.entries(SECTIONS).map(([section, lines]) => [
    section,
    new RegExp(`^(?:${section === "" ? "" : "    "}(?:${lines.join("|")}))$`),
  ]),
);
const SECTION = new RegExp(
  `^(defaults|frontend main|frontend stats|resolvers etcd-haproxy|global|backend ${NAME})$`,
);

/** Lines that the embedded template does not know, and sections that come twice. */
export function foreignLines(text: string): string[] {
  const foreign: string[] = [];
  const seen = new Set<string>();
  let section = "";
  for (const line of text.split("\n")) {
    if (line === "") continue;
    if (SECTION.test(line)) {
      if (seen.has(line)) foreign.push(`${line} (twice)`);
      seen.add(line);
      section = line.startsWith("backend ") ? "backend" : line;
      continue;
    }
    if (RULES.get(section)?.test(line) !== true) foreign.push(line);
  }
  return foreign;
}

const SERVER = `${NAME}/${NAME}`;
const COMMAND = new RegExp(`^(?:${
  [
    `add server ${SERVER} ${PARAMS}`,
    `del server ${SERVER}`,
    `enable (?:health|server) ${SERVER}`,
    `set server ${SERVER} (?:weight ${NUMBER}|state (?:ready|drain|maint)|health (?:up|down))`,
    `set server ${SERVER} addr (?:${IPV4}|${IPV6}) port ${NUMBER}`,
  ].join("|")
})$`);

/** Commands of a line for HAProxy's socket that the controller does not know. */
export function foreignCommands(line: string): string[] {
  return line.split("; ").filter((command) => !COMMAND.test(command));
}
