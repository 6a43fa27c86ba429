import { assertEquals } from "@std/assert";
import {
  parseAlerts,
  parseEnv,
  parseProcesses,
  parseServersState,
  parseUsedConnections,
} from "../../../../lib/haproxy/wire/reply.ts";
import { observed } from "../../fixtures.ts";
import { runHaproxyCheck, withHaproxy } from "../../haproxy_check.ts";

// Answers of HAProxy 2.6.12, taken from its sockets byte by byte, but for process ids.

Deno.test("parseProcesses() reads a family that was never reloaded", () => {
  assertEquals(
    parseProcesses(
      "#<PID>          <type>          <reloads>       <uptime>        <version>      \n" +
        "25890           master          0 [failed: 0]   0d00h00m02s     2.6.12-1+deb12u4\n# workers\n" +
        "25907           worker          0               0d00h00m02s     2.6.12-1+deb12u4\n# programs\n\n",
    ),
    {
      masterPid: 25890,
      reloads: 0,
      failedReloads: 0,
      workers: [{ pid: 25907, reloads: 0 }],
      oldWorkers: [],
    },
  );
});

Deno.test("parseProcesses() reads a failed reload and an old worker that still holds connections", () => {
  assertEquals(
    parseProcesses(
      "#<PID>          <type>          <reloads>       <uptime>        <version>      \n" +
        "25890           master          2 [failed: 1]   0d00h00m05s     2.6.12-1+deb12u4\n# workers\n" +
        "26026           worker          1               0d00h00m02s     2.6.12-1+deb12u4\n# old workers\n" +
        "25907           worker          2               0d00h00m05s     2.6.12-1+deb12u4\n# programs\n\n",
    ),
    {
      masterPid: 25890,
      reloads: 2,
      failedReloads: 1,
      workers: [{ pid: 26026, reloads: 1 }],
      oldWorkers: [{ pid: 25907, reloads: 2 }],
    },
  );
});

Deno.test("parseProcesses() takes no program for a worker", () => {
  // The example of the management manual, "show proc".
  const table = parseProcesses(`#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5 [failed: 0]   0d00h02m07s     2.5-dev13
# workers
1271            worker          1               0d00h00m00s     2.5-dev13
# old workers
1233            worker          3               0d00h00m43s     2.0-dev3-6019f6-289
# programs
1244            foo             0               0d00h00m00s     -
1255            bar             0               0d00h00m00s     -
`);
  assertEquals([table?.workers, table?.oldWorkers], [[{ pid: 1271, reloads: 1 }], [{
    pid: 1233,
    reloads: 3,
  }]]);
});

for (const reply of ["", "\n", "Permission denied\n", "25907           worker          0\n"]) {
  Deno.test(`parseProcesses() takes ${JSON.stringify(reply)} for no answer`, () => {
    assertEquals(parseProcesses(reply), undefined);
  });
}

Deno.test("parseEnv() reads a variable, and none that only begins alike", () => {
  assertEquals(parseEnv("ETCD_HAPROXY_BASE=0123abcd\n\n", "ETCD_HAPROXY_BASE"), "0123abcd");
  assertEquals(parseEnv("A=b=c\n\n", "A"), "b=c");
  assertEquals(parseEnv("ETCD_HAPROXY_BASE_OLD=1\n\n", "ETCD_HAPROXY_BASE"), undefined);
});

Deno.test("parseEnv() takes HAProxy's refusal for a variable that is not set", () => {
  assertEquals(parseEnv("Variable not found\n\n", "ETCD_HAPROXY_BASE"), undefined);
});

const COLUMNS =
  "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
  "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
  "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr " +
  "srv_agent_addr srv_agent_port\n";

const rows: Record<string, [row: string, expected: Partial<ReturnType<typeof observed>>]> = {
  "a server that was drained at run time": [
    "3 backend 7 a 127.0.0.1 2 8 100 100 0 1 0 2 0 0 0 1 - 24991 - 0 0 - - 0",
    { id: 7, ip: "127.0.0.1", port: 24991, weight: 100, maint: false, draining: true, up: true },
  ],
  "a server whose check fails, with a weight set at run time": [
    "3 backend 2 a 127.0.0.1 0 0 7 50 2 8 2 0 6 0 0 0 - 24992 - 0 0 - - 0",
    { id: 2, ip: "127.0.0.1", port: 24992, weight: 7, up: false },
  ],
  "an IPv6 address": [
    "3 backend 3 a 2001:db8::5 2 0 3 3 2 1 0 2 0 0 0 0 - 8080 - 0 0 - - 0",
    { id: 3, ip: "2001:db8::5", weight: 3 },
  ],
  "an IPv6 address that HAProxy spells with an IPv4 one": [
    "4 x 2 a ::ffff:10.0.0.5 2 0 1 1 2 1 0 2 0 0 0 0 - 80 - 0 0 - - 0",
    { id: 2, ip: "::ffff:a00:5", port: 80, weight: 1 },
  ],
  "a disabled server": [
    "3 backend 4 a 127.0.0.1 0 5 1 1 2 1 0 0 8 0 0 0 - 24993 - 0 0 - - 0",
    { id: 4, ip: "127.0.0.1", port: 24993, weight: 1, maint: true, up: false },
  ],
  "a server that was put into maintenance at run time": [
    "3 backend 4 a 10.0.0.5 0 1 1 1 2 1 0 0 8 0 0 0 - 8080 - 0 0 - - 0",
    { id: 4, weight: 1, maint: true, up: false },
  ],
  "a name that did not resolve, which is no maintenance": [
    "3 backend 5 a - 0 32 100 100 2 1 0 0 0 0 0 0 web.invalid 8080 - 0 0 - - 0",
    { id: 5, ip: undefined, fqdn: "web.invalid", up: false },
  ],
};

for (const [what, [row, expected]] of Object.entries(rows)) {
  Deno.test(`parseServersState() reads ${what}`, () => {
    const backend = row.split(" ")[1] ?? "";
    const server = parseServersState(`${COLUMNS}${row}\n\n`)?.get(backend)?.get("a");
    assertEquals(server, { ...observed("a"), ...expected, row });
  });
}

Deno.test("parseServersState() groups servers by backend", () => {
  const servers = parseServersState(
    `${COLUMNS}3 one 1 a 10.0.0.5 2 0 1 1 2 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n` +
      "3 one 2 b 10.0.0.6 2 0 1 1 2 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n" +
      "4 two 1 a.b:c-d_e 10.0.0.7 2 0 0 0 2 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n\n",
  );
  const names = [...servers ?? []].map(([backend, group]) => [backend, ...group.keys()]);
  assertEquals(names, [["one", "a", "b"], ["two", "a.b:c-d_e"]]);
});

Deno.test("parseServersState() tells an answer without servers from no answer", () => {
  assertEquals(parseServersState(`${COLUMNS}\n`)?.size, 0);
  assertEquals(parseServersState(""), undefined);
  assertEquals(parseServersState("Can't find backend.\n"), undefined);
});

const CHECK_OUTPUT = `[NOTICE]   (26168) : haproxy version is 2.6.12-1+deb12u4
[NOTICE]   (26168) : path to executable is /usr/sbin/haproxy
[WARNING]  (26168) : config : 'server backend/b' : something that is no fault
[ALERT]    (26168) : config : parsing [/etc/lb/new.cfg:11] : unknown keyword 'bogus' in 'frontend' section
[ALERT]    (26168) : config : [/etc/lb/new.cfg:13] : 'server backend/a' : weight of server a is not within 0 and 256 (300)..
[ALERT]    (26168) : config : 'ca-file' : unable to load /nope.
[ALERT]    (26168) : config : [/etc/lb/new.cfg:20] : 'server backend/h' : 'id' : custom id 9 already used at /etc/lb/new.cfg:19 ('server g').
[ALERT]    (26168) : config : Error(s) found in configuration file : /etc/lb/new.cfg
[ALERT]    (26168) : config : Fatal errors found in configuration.
`;

Deno.test("parseAlerts() reads the faults with the line or the server that HAProxy names, and no summary", () => {
  assertEquals(parseAlerts(CHECK_OUTPUT, "/etc/lb/new.cfg"), [
    {
      message: "parsing [haproxy.cfg:11] : unknown keyword 'bogus' in 'frontend' section",
      line: 11,
      server: undefined,
    },
    {
      message: "[haproxy.cfg:13] : 'server backend/a' : weight of server a is not within 0 and 256 (300)..",
      line: 13,
      server: { backend: "backend", server: "a" },
    },
    { message: "'ca-file' : unable to load /nope.", line: undefined, server: undefined },
    {
      message:
        "[haproxy.cfg:20] : 'server backend/h' : 'id' : custom id 9 already used at haproxy.cfg:19 ('server g').",
      line: 20,
      server: { backend: "backend", server: "h" },
    },
  ]);
});

Deno.test("parseAlerts() finds none in the output of a valid file", () => {
  assertEquals(parseAlerts("Configuration file is valid\n", "/etc/lb/new.cfg"), []);
});

withHaproxy("parseAlerts() reads what the real haproxy -c writes", async (haproxy) => {
  const { output, path } = await runHaproxyCheck(
    haproxy,
    `defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend f
    bind 127.0.0.1:80
backend b
    server a 10.0.0.5:80
    server x.y:z 10.0.0.5:80 weight 300
`,
  );
  const [alert, ...others] = parseAlerts(output, path);
  assertEquals(others, []);
  assertEquals([alert?.line, alert?.server], [10, { backend: "b", server: "x.y:z" }]);
});

Deno.test("parseAlerts() keeps a colon at the end of a server's name", () => {
  const [alert] = parseAlerts("[ALERT]    (1) : config : 'server backend/c.d:' : unknown keyword 'x'.", "/x");
  assertEquals(alert?.server, { backend: "backend", server: "c.d:" });
});

const CONNECTIONS =
  "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim " +
  "idle_cur idle_per_thr[2]\n";

Deno.test("parseUsedConnections() reads the requests in progress, not the most there were nor idle connections", () => {
  const reply = `${CONNECTIONS}b/a 3/7 127.0.0.1 18932 - 5000 0 1 1 0 0 -1 4 4 0\n` +
    "b/c.d:e-f 3/8 127.0.0.1 18933 - 5000 12 15 1 0 0 -1 0 0 0\n\n";
  assertEquals(parseUsedConnections(reply), new Map([["b/a", 0], ["b/c.d:e-f", 12]]));
});

Deno.test("parseUsedConnections() reads an answer amid prompts and finds none in a refusal", () => {
  const row = "b/a 3/7 - 0 - 5000 3 3 1 0 0 -1 0 0 0";
  assertEquals(parseUsedConnections(`> ${CONNECTIONS}${row}\n\n> [3]: `), new Map([["b/a", 3]]));
  assertEquals(parseUsedConnections("> [3]: Can't find backend.\n\n> "), new Map());
  assertEquals(parseUsedConnections(CONNECTIONS), new Map());
});
