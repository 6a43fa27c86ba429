import { assertEquals } from "@std/assert";
import {
  addLine,
  commandLine,
  deleteLine,
  drainLine,
  errorsIn,
  healthUpLine,
} from "../../../../lib/haproxy/wire/commands.ts";

type Direct = Parameters<typeof commandLine>[0];
const PLACE = { backend: "b", server: "a", reason: "x" };
const CHECKED = { name: "a", params: "10.0.0.5:80 weight 50 check inter 2s id 7" };
const UNCHECKED = { name: "a", params: "10.0.0.5:80 weight 50 id 7" };
const MAINT = { name: "a", params: "10.0.0.5:80 weight 50 check disabled id 7" };
const address = { kind: "ip", host: "2001:db8::6", port: 81 } as const;
const move = { ...PLACE, kind: "address", line: CHECKED, address } as const;

const lines: Record<string, [step: Direct, unready: boolean, line: string]> = {
  "adds a server that was seen healthy": [
    { ...PLACE, kind: "add", line: CHECKED },
    false,
    "add server b/a 10.0.0.5:80 weight 50 check inter 2s id 7; enable health b/a; enable server b/a",
  ],
  "adds an unready server under weight 0, its health down after it left maintenance": [
    { ...PLACE, kind: "add", line: CHECKED },
    true,
    "add server b/a 10.0.0.5:80 weight 50 check inter 2s id 7; set server b/a weight 0; enable health b/a; " +
    "enable server b/a; set server b/a health down; set server b/a weight 50",
  ],
  "adds a server without check": [
    { ...PLACE, kind: "add", line: UNCHECKED },
    false,
    "add server b/a 10.0.0.5:80 weight 50 id 7; enable server b/a",
  ],
  "adds a server that stays in maintenance, its check on for later": [
    { ...PLACE, kind: "add", line: MAINT },
    false,
    "add server b/a 10.0.0.5:80 weight 50 check disabled id 7; enable health b/a",
  ],
  "adds a server that stays in maintenance, unready or not": [
    { ...PLACE, kind: "add", line: MAINT },
    true,
    "add server b/a 10.0.0.5:80 weight 50 check disabled id 7; enable health b/a",
  ],
  "moves a server that was seen healthy at its new address, and brings it up if it was down": [
    move,
    false,
    "set server b/a addr 2001:db8::6 port 81; set server b/a health up",
  ],
  "takes an unready server down before it moves": [
    move,
    true,
    "set server b/a health down; set server b/a addr 2001:db8::6 port 81",
  ],
  "sets a weight": [{ ...PLACE, kind: "weight", weight: 0 }, false, "set server b/a weight 0"],
  "sets maintenance": [{ ...PLACE, kind: "maint" }, false, "set server b/a state maint"],
  "readmits a server": [
    { ...PLACE, kind: "ready", line: CHECKED, from: "maint" },
    false,
    "set server b/a state ready",
  ],
  "readmits an unready server under weight 0": [
    { ...PLACE, kind: "ready", line: CHECKED, from: "maint" },
    true,
    "set server b/a weight 0; set server b/a state ready; set server b/a health down; set server b/a weight 50",
  ],
};

for (const [what, [step, unready, line]] of Object.entries(lines)) {
  Deno.test(`commandLine() ${what}`, () => assertEquals(commandLine(step, unready), line));
}

Deno.test("addLine() gives the line of an added server, whatever asks for it", () => {
  assertEquals(addLine("b/a", CHECKED, true), commandLine({ ...PLACE, kind: "add", line: CHECKED }, true));
});

Deno.test("drainLine(), deleteLine() and healthUpLine() name the server", () => {
  assertEquals([drainLine("b/a"), deleteLine("b/a"), healthUpLine("b/a")], [
    "set server b/a state drain",
    "set server b/a state maint; del server b/a",
    "set server b/a health up",
  ]);
});

// Answers of HAProxy 2.6.12 in prompt mode with numbered severities.
const replies: Record<string, [reply: string, errors: string[]]> = {
  "an error after the prompt": ["\n> [3]: No such server.\n\n> ", ["No such server."]],
  "an error after several prompts": ["\n> > > [3]: unknown keyword 'bogus'.\n\n> ", [
    "unknown keyword 'bogus'.",
  ]],
  "every error of a batch": [
    "[3]: Absolute weight can only be between 0 and 256 inclusive.\n\n> [2]: worse\n\n> ",
    ["Absolute weight can only be between 0 and 256 inclusive.", "worse"],
  ],
  "no error in information": ["\n> [6]: New server registered.\n\n> [6]: Server deleted.\n\n> ", []],
  "no error in a warning": ["[4]: no need to change the addr by 'stats socket command'\n\n> ", []],
  "no error in silence": ["\n> \n> \n> ", []],
  "no error in plain text that looks like one": ["the answer [3]: is fine\n\n> ", []],
};

for (const [what, [reply, errors]] of Object.entries(replies)) {
  Deno.test(`errorsIn() finds ${what}`, () => assertEquals(errorsIn(reply), errors));
}
