import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isServerLine, judgeBackends, type Section, sectionsOf } from "../../../lib/config/section.ts";

const TEXT = `# first line
global
    maxconn 100

  defaults named # not the last
    mode http
frontend main
    # backend commented
    default_backend "backend"
backend 'quoted name'
    server backend 10.0.0.5:80
    description backend of all
`;

function textOf(sections: readonly Section[]): string {
  return sections.flatMap(({ lines }) => lines).join("\n");
}

Deno.test("sectionsOf() starts a section at each keyword, wherever the line is indented, and at nothing else", () => {
  const sections = sectionsOf(TEXT).map(({ keyword, name, lines }) => `${keyword}(${name}) ${lines.length}`);
  assertEquals(sections, [
    "() 1",
    "global() 3",
    "defaults(named) 2",
    "frontend(main) 3",
    "backend(quoted name) 4",
  ]);
});

Deno.test("textOf() gives back the text that sectionsOf() has split", () => {
  assertEquals(textOf(sectionsOf(TEXT)), TEXT);
  const line = fc.constantFrom(
    "",
    " ",
    "global",
    "backend a",
    "  backend b # x",
    "server a 1",
    "'",
    "\r",
    "mode",
  );
  fc.assert(fc.property(fc.array(line), (lines) => {
    assertEquals(textOf(sectionsOf(lines.join("\n"))), lines.join("\n"));
  }));
});

const serverLines: Record<string, [line: string, isServer: boolean]> = {
  "a server": ["server a 10.0.0.5:80", true],
  "an indented server": ["\t server\ta 10.0.0.5:80", true],
  "a server template": ["server-template a 1-3 web:80", false],
  "a default server": ["default-server weight 3", false],
  "a commented server": ["# server a 10.0.0.5:80", false],
  "a state file": ["server-state-file x", false],
};

for (const [what, [line, isServer]] of Object.entries(serverLines)) {
  Deno.test(`isServerLine() takes ${what} for ${isServer ? "one" : "none"}`, () => {
    assertEquals(isServerLine(line), isServer);
  });
}

/** `plain`, or why the backend is not, by the lines of a defaults section and of the backend behind it. */
function judge({ defaults = [], backend = [] }: { defaults?: string[]; backend?: string[] }): string {
  const text = ["defaults", "    mode http", ...defaults, "backend b", ...backend].join("\n");
  return judgements(text).b ?? "none";
}

function judgements(text: string): Record<string, string> {
  return Object.fromEntries([...judgeBackends(sectionsOf(text))].map(([{ name }, judgement]) => [
    name,
    judgement.plain ? "plain" : judgement.reason,
  ]));
}

const judged: Record<string, [lines: { defaults?: string[]; backend?: string[] }, judgement: string]> = {
  "a backend with nothing in it": [{}, "plain"],
  "checks and servers": [{ backend: ["option httpchk", "server a 10.0.0.5:80 check"] }, "plain"],
  "balance roundrobin": [{ backend: ["balance roundrobin"] }, "plain"],
  "balance leastconn": [{ backend: ["balance leastconn"] }, "plain"],
  "balance random with draws": [{ backend: ["balance random(3)"] }, "plain"],
  "balance static-rr": [{ backend: ["balance static-rr"] }, "balance static-rr takes no dynamic servers"],
  "balance first": [{ backend: ["balance first"] }, "balance first takes no dynamic servers"],
  "a hash of the default type": [
    { backend: ["balance source"] },
    "balance source takes dynamic servers only with hash-type consistent",
  ],
  "a hash with an argument": [
    { backend: ["balance hdr(host)"] },
    "balance hdr takes dynamic servers only with hash-type consistent",
  ],
  "a consistent hash": [{ backend: ["balance uri", "hash-type consistent sdbm avalanche"] }, "plain"],
  "a consistent hash type in the defaults": [
    { defaults: ["hash-type consistent"], backend: ["balance source"] },
    "plain",
  ],
  "a balance in the defaults": [
    { defaults: ["balance static-rr"] },
    "balance static-rr takes no dynamic servers",
  ],
  "a balance that replaces that of the defaults": [
    { defaults: ["balance static-rr"], backend: ["balance roundrobin"] },
    "plain",
  ],
  "a default-server": [{ backend: ["default-server check"] }, "it has default-server"],
  "a default-server in the defaults": [{ defaults: ["default-server check"] }, "it has default-server"],
  "a server-template": [{ backend: ["server-template w 3 web:80"] }, "it has server-template"],
  "a use-server": [{ backend: ["use-server a if TRUE"] }, "it has use-server"],
  "a dispatch": [{ backend: ["dispatch 10.0.0.5:80"] }, "it has dispatch"],
  "an agent check": [{ backend: ["server a 10.0.0.5:80 agent-check"] }, "a server has agent-check"],
  "a server that is called agent-check": [{ backend: ["server a 10.0.0.5:80 # agent-check"] }, "plain"],
  "option transparent": [{ backend: ["option transparent"] }, "it has option transparent"],
  "a conditional block": [{ backend: [".if defined(X)", ".endif"] }, "it holds conditional blocks (.if)"],
};

for (const [what, [lines, judgement]] of Object.entries(judged)) {
  Deno.test(`judgeBackends() judges ${what}: ${judgement}`, () => assertEquals(judge(lines), judgement));
}

Deno.test("judgeBackends() takes the last defaults above a backend, or the one that it names", () => {
  const text = `backend before
defaults none
defaults preset
    default-server check
backend after
backend named from none
defaults later
backend last
backend unknown from nowhere
listen l
frontend f`;
  assertEquals(judgements(text), {
    before: "plain",
    after: "it has default-server",
    named: "plain",
    last: "plain",
    unknown: "plain",
  });
});

Deno.test("judgeBackends() follows defaults that inherit from others", () => {
  const text = "defaults a\n default-server weight 3\ndefaults b from a\nbackend x from b\n";
  const [judgement] = judgeBackends(sectionsOf(text)).values();
  assertEquals(judgement?.plain, false);
});
