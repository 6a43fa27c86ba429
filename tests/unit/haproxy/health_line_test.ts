import { assertEquals } from "@std/assert";
import { type HealthLine, readHealthLine } from "../../../lib/haproxy/health_line.ts";

// Lines of HAProxy 2.6.12; those marked with a version are worded as in that one's source.

const LEFT = "0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.";
const ONLINE = "1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.";

const health: Record<string, [line: string, server: string, state: "up" | "down", reason: string]> = {
  "a refused connection": [
    `[WARNING]  (29159) : Server l4/refused is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 1ms. ${LEFT}`,
    "l4/refused",
    "down",
    "Layer4 connection problem, Connection refused",
  ],
  "a step of tcp-check": [
    `[WARNING]  (2663) : Server tcpc/e is DOWN, reason: Layer4 connection problem, info: "Connection refused at step 1 of tcp-check (connect)", check duration: 0ms. ${LEFT}`,
    "tcpc/e",
    "down",
    "Layer4 connection problem, Connection refused at step 1 of tcp-check (connect)",
  ],
  "a wrong status": [
    `[WARNING]  (29159) : Server l7/flip is DOWN, reason: Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: 2ms. 2 active and 1 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.`,
    "l7/flip",
    "down",
    "Layer7 wrong status, code: 503, Service Unavailable",
  ],
  "a passed check with a code": [
    `[WARNING]  (29159) : Server l7/flip is UP, reason: Layer7 check passed, code: 200, check duration: 1ms. 2 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.`,
    "l7/flip",
    "up",
    "Layer7 check passed, code: 200",
  ],
  "a passed connection": [
    `[WARNING]  (2663) : Server res/e is UP, reason: Layer4 check passed, check duration: 0ms. ${ONLINE}`,
    "res/e",
    "up",
    "Layer4 check passed",
  ],
  "a timeout": [
    `[WARNING]  (29159) : Server l7/silent is DOWN, reason: Layer7 timeout, check duration: 503ms. ${LEFT}`,
    "l7/silent",
    "down",
    "Layer7 timeout",
  ],
  "a failed TLS handshake": [
    `[WARNING]  (29159) : Server tls/plain is DOWN, reason: Layer6 invalid response, info: "SSL handshake failure", check duration: 11ms. ${LEFT}`,
    "tls/plain",
    "down",
    "Layer6 invalid response, SSL handshake failure",
  ],
  "failed requests (on-error mark-down), which have no duration": [
    `[WARNING]  (29159) : CLI : Server obs/o is DOWN, reason: Health analyze, info: "Detected 3 consecutive errors, last one was: L4 unsuccessful connection". 0 active and 0 backup servers left. 1 sessions active, 0 requeued, 0 remaining in queue.`,
    "obs/o",
    "down",
    "Health analyze, Detected 3 consecutive errors, last one was: L4 unsuccessful connection",
  ],
  "a server that was added at run time": [
    `[WARNING]  (29159) : CLI : Server dyn/d2 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. ${LEFT}`,
    "dyn/d2",
    "down",
    "Layer4 connection problem, Connection refused",
  ],
  "a backup server": [
    `[WARNING]  (29159) : CLI : Backup Server l7/spare is UP, reason: Layer7 check passed, code: 200, check duration: 1ms. 0 active and 1 backup servers online. Running on backup. 0 sessions requeued, 0 total in queue.`,
    "l7/spare",
    "up",
    "Layer7 check passed, code: 200",
  ],
  "an agent": [
    `[WARNING]  (2663) : Server agent/ag is DOWN, reason: Layer7 wrong status, code: 0, info: "via agent : stopped", check duration: 1ms. ${LEFT}`,
    "agent/ag",
    "down",
    "Layer7 wrong status, via agent : stopped",
  ],
  "a tracked server": [
    `[WARNING]  (29159) : Server l7/other is DOWN via l7/flip. 1 active and 1 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.`,
    "l7/other",
    "down",
    "via l7/flip",
  ],
  "a server of which the reason was logged apart (option log-health-checks)": [
    `[WARNING]  (2663) : Server lhc/e is DOWN. ${LEFT}`,
    "lhc/e",
    "down",
    "",
  ],
  "names with dots": [
    `[WARNING]  (2663) : Server a.b/web-1.2 is UP. ${ONLINE}`,
    "a.b/web-1.2",
    "up",
    "",
  ],
  "a line that was cut": [
    `[WARNING]  (17) : Server a/b is DOWN, reason: Layer7 wrong status, code: 500, info: "Internal Ser`,
    "a/b",
    "down",
    "Layer7 wrong status, code: 500, Internal Ser",
  ],
  "a line with a date (2.2)": [
    `[WARNING] 123/145012 (17) : Server a/b is UP, reason: Layer4 check passed, check duration: 0ms. ${ONLINE}`,
    "a/b",
    "up",
    "Layer4 check passed",
  ],
};

for (const [what, [line, name, state, reason]] of Object.entries(health)) {
  Deno.test(`readHealthLine() reads ${what}`, () => {
    const [backend = "", server = ""] = name.split("/");
    const expected: HealthLine = { backend, server, up: state === "up", reason };
    assertEquals(readHealthLine(line), expected);
  });
}

const others: Record<string, string> = {
  "a server that was set down by CLI":
    `[WARNING]  (29159) : Server rise/one is DOWN, changed from CLI. ${LEFT}`,
  "a server that was set up by CLI":
    `[WARNING]  (29159) : Server rise/one is UP, changed from CLI. ${ONLINE}`,
  "a server that is stopping":
    `[WARNING]  (29159) : Server rise/one is stopping, changed from CLI. ${ONLINE}`,
  "a state from the server-state file (3.x)":
    `[WARNING]  (1) : Server a/b is DOWN, changed from server-state after a reload. ${LEFT}`,
  "a state from the web (3.x)": `[WARNING]  (1) : Server a/b is UP, changed from Web interface. ${ONLINE}`,
  "maintenance": `[WARNING]  (29159) : Server rise/one is going DOWN for maintenance. ${LEFT}`,
  "maintenance of a server that was down":
    `[WARNING]  (29159) : Server rise/one was DOWN and now enters maintenance (No IP for server ). ${LEFT}`,
  "the end of maintenance":
    "[WARNING]  (29159) : CLI : Server dyn/d1 is UP/READY (leaving forced maintenance).",
  "the end of maintenance into drain":
    "[WARNING]  (29159) : Server rise/one is UP/DRAIN (leaving forced maintenance).",
  "drain": `[WARNING]  (29159) : CLI : Server dyn/d2 enters drain state. ${LEFT}`,
  "the end of drain of a server that is up":
    "[WARNING]  (29159) : Server rise/one is UP (leaving forced drain).",
  "the end of drain of a server that is down":
    "[WARNING]  (29159) : CLI : Server dyn/d2 is DOWN (leaving forced drain).",
  "a drain that remains": "[WARNING]  (29159) : Server rise/one remains in forced drain mode.",
  "a single check (option log-health-checks)":
    `[WARNING]  (2663) : Health check for server lhc/e failed, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms, status: 0/2 DOWN.`,
  "a backend without servers": "[ALERT]    (29159) : backend 'l4' has no server available!",
  "an added server": "[NOTICE]   (29159) : CLI : 'server dyn/d1' : New server registered.",
  "a deleted server": "[NOTICE]   (29159) : CLI : Server deleted.",
  "a stopped proxy": "[WARNING]  (29159) : CLI : Proxy l4 stopped (cumulated conns: FE: 0, BE: 0).",
  "the start of a line alone": "[WARNING]  (29159) : Server l4/refused is",
  "text that quotes such a line":
    `[WARNING]  (1) : config : "Server a/b is DOWN, reason: Layer4 timeout, check duration: 1ms."`,
  "nothing": "",
};

for (const [what, line] of Object.entries(others)) {
  Deno.test(`readHealthLine() takes no change of health from ${what}`, () => {
    assertEquals(readHealthLine(line), undefined);
  });
}
