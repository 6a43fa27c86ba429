import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import {
  BASE_VARIABLE,
  baseDigest,
  type ConfigText,
  fitted,
  joinConfig,
  missingBackends,
  serverAtLine,
  type ServerLine,
  splitConfig,
} from "../../../lib/config/text.ts";

const TEXT = `defaults
    mode http

backend plain
    # kept where it is
    server a 10.0.0.5:80 weight 3
    option httpchk
    server b 10.0.0.6:80

backend fixed
    balance static-rr
    server a 10.0.0.7:80

global
    stats socket /run/lb.sock
`;

const BASE = `defaults
    mode http

backend plain
    # kept where it is
    option httpchk

backend fixed
    balance static-rr
    server a 10.0.0.7:80

global
    stats socket /run/lb.sock
`;

const SERVERS = [{ name: "a", params: "10.0.0.5:80 weight 3" }, { name: "b", params: "10.0.0.6:80" }];

const servers = (lines: Record<string, ServerLine[]>) => new Map(Object.entries(lines));

Deno.test("splitConfig() takes the servers of plain backends, and leaves all else in the base", () => {
  assertEquals(splitConfig(TEXT), { base: BASE, servers: servers({ plain: SERVERS }) });
});

Deno.test("joinConfig() puts servers at the end of their backend and the base's digest at the end", () => {
  assertEquals(
    joinConfig(splitConfig(TEXT)),
    BASE.replace("httpchk\n", "httpchk\n    server a 10.0.0.5:80 weight 3\n    server b 10.0.0.6:80\n")
      .replace("lb.sock\n", `lb.sock\n    setenv ${BASE_VARIABLE} ${baseDigest(BASE)}\n`),
  );
});

Deno.test("splitConfig() gives back what joinConfig() has joined", () => {
  const config = splitConfig(TEXT);
  assertEquals(splitConfig(joinConfig(config)), config);
  assertEquals(joinConfig(splitConfig(joinConfig(config))), joinConfig(config));
});

const sameBase: Record<string, string> = {
  "other servers": TEXT.replace("server b 10.0.0.6:80", "server c 10.0.0.8:80 disabled"),
  "no server at all": TEXT.replace(/^ {4}server [ab] 10.0.0.[56].*\n/gm, ""),
  "blank lines where the last server was": TEXT.replace("    server b 10.0.0.6:80\n", "  \n\n\n"),
  "blanks at the end of lines": TEXT.replaceAll("\n", " \t\r\n"),
  "blank lines before and after": `\n\n${TEXT}\n\n`,
  "a digest of something else": `${TEXT.trimEnd()}\n    setenv ${BASE_VARIABLE} 0123abcd\n`,
};

for (const [what, text] of Object.entries(sameBase)) {
  Deno.test(`splitConfig() gives the same base for ${what}`, () => {
    assertNotEquals(text, TEXT);
    assertEquals(splitConfig(text).base, BASE);
  });
}

const otherBase: Record<string, string> = {
  "another option of a plain backend": TEXT.replace("httpchk", "tcp-check"),
  "another server of a backend that is not plain": TEXT.replace("10.0.0.7", "10.0.0.8"),
  "a backend more": TEXT.replace("global", "backend more\n\nglobal"),
  "a plain backend that is no longer plain": TEXT.replace("    option httpchk", "    default-server check"),
};

for (const [what, text] of Object.entries(otherBase)) {
  Deno.test(`splitConfig() gives another digest for ${what}`, () => {
    assertNotEquals(text, TEXT);
    assertNotEquals(baseDigest(splitConfig(text).base), baseDigest(BASE));
  });
}

Deno.test("splitConfig() knows a plain backend without servers", () => {
  assertEquals(splitConfig("backend empty\n").servers, servers({ empty: [] }));
});

Deno.test("serverAtLine() tells which server is on a line of the joined text", () => {
  const config = splitConfig(TEXT);
  const lines = joinConfig(config).split("\n");
  const lineOf = (text: string) => lines.findIndex((line) => line.includes(text)) + 1;
  assertEquals(serverAtLine(config, lineOf("10.0.0.6:80")), { backend: "plain", server: "b" });
  assertEquals(serverAtLine(config, lineOf("option httpchk")), undefined);
  assertEquals(serverAtLine(config, lineOf("10.0.0.7:80")), undefined);
  assertEquals(serverAtLine(config, 0), undefined);
  assertEquals(serverAtLine(config, 1_000), undefined);
});

Deno.test("missingBackends() names the backends that have servers but no place for them", () => {
  const config = {
    base: BASE,
    servers: servers({ plain: SERVERS, fixed: SERVERS, gone: SERVERS, none: [] }),
  };
  assertEquals(missingBackends(config), ["fixed", "gone"]);
});

Deno.test("fitted() drops servers without a place and gives every plain backend its list", () => {
  const config: ConfigText = {
    base: `${BASE}backend other\n`,
    servers: servers({ plain: SERVERS, gone: SERVERS }),
  };
  assertEquals(fitted(config), { base: config.base, servers: servers({ plain: SERVERS, other: [] }) });
  assertEquals(missingBackends(fitted(config)), []);
});

Deno.test("joinConfig() leaves out servers whose backend is not plain", () => {
  const text = joinConfig({ base: BASE, servers: servers({ fixed: SERVERS, gone: SERVERS }) });
  assertEquals(text.includes("10.0.0.5"), false);
  assertStringIncludes(text, "server a 10.0.0.7:80");
});

Deno.test("splitConfig() gives one base whatever blank lines stand in a section", () => {
  const { base } = splitConfig("backend b\n\n    option httpchk\n");
  assertEquals(splitConfig("\nbackend b\n    option httpchk\n\n\n").base, base);
});

Deno.test("splitConfig() leaves comments in front of a section with it, and servers in front of them", () => {
  const config = splitConfig("backend a\n    server s 10.0.0.5:80\n# about b\nbackend b\n");
  assertEquals(joinConfig(config).split("\n").slice(0, 4), [
    "backend a",
    "    server s 10.0.0.5:80",
    "",
    "# about b",
  ]);
});

Deno.test("splitConfig() drops the comment of a server line, which would hide what is appended", () => {
  const { servers } = splitConfig("backend a\n    server s 10.0.0.5:80 check # mine\n");
  assertEquals(servers.get("a"), [{ name: "s", params: "10.0.0.5:80 check" }]);
});
