import { assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { baseDigest, joinConfig, serverAtLine, splitConfig } from "../../../lib/config/text.ts";
import { ControllerError } from "../../../lib/util/errors.ts";
import { buildModel, EMPTY_MODEL, type Model } from "../../../lib/registry/model.ts";
import { compileTemplate, MANAGED_LINE, renderConfig } from "../../../lib/config/render.ts";
import { goodEntry, placeName } from "../arbitraries.ts";
import { modelOf, PREFIXES, raw, RENDER_SETTINGS, SERVICES } from "../fixtures.ts";
import { runHaproxyCheck, withHaproxy } from "../haproxy_check.ts";

const embedded = compileTemplate(
  await Deno.readTextFile(new URL("../../../templates/haproxy.cfg.eta", import.meta.url)),
);
const render = (model: Model, template = embedded) => renderConfig(model, template, RENDER_SETTINGS);
const textOf = (model: Model, template = embedded) => joinConfig(render(model, template));
const custom = (text: string, model: Model = EMPTY_MODEL) => textOf(model, compileTemplate(text));
const section = (text: string, start: string) => text.split("\n\n").find((part) => part.startsWith(start));

Deno.test("renderConfig() renders an empty registry: a managed file with an empty default backend", () => {
  const text = textOf(EMPTY_MODEL);
  assertEquals(text.split("\n")[0], MANAGED_LINE);
  assertEquals(section(text, "backend "), "backend backend");
  assertStringIncludes(section(text, "frontend main") ?? "", "bind 127.0.0.1:8001\n");
  assertStringIncludes(section(text, "frontend stats") ?? "", "bind 127.0.0.1:8401\n");
});

Deno.test("renderConfig() appends what the controller needs, whatever the template", () => {
  const { base } = render(EMPTY_MODEL);
  const text = custom("frontend f\n    bind :80\n");
  assertEquals(section(text, "resolvers"), "resolvers etcd-haproxy\n    parse-resolv-conf");
  assertStringIncludes(
    section(text, "global") ?? "",
    `    stats socket /run/lb/runtime.sock mode 600 level admin expose-fd listeners
    server-state-file /run/lb/servers.state
    hard-stop-after 600000ms
    setenv ETCD_HAPROXY_BASE `,
  );
  assertStringIncludes(textOf(EMPTY_MODEL), `setenv ETCD_HAPROXY_BASE ${baseDigest(base)}\n`);
});

Deno.test("renderConfig() renders each service as a backend with its servers, sorted", () => {
  const text = textOf(modelOf({ "shop/b": "10.0.0.2:80", "shop/a": "10.0.0.1:80", "api/x": "10.0.0.3:80" }));
  const order = ["backend backend", "backend api", "server x", "backend shop", "server a", "server b"];
  const places = order.map((part) => text.indexOf(part));
  assertEquals(places, places.toSorted((a, b) => a - b));
  assertEquals(places.includes(-1), false);
  assertEquals(text.match(/^ {4}server .* id \d+$/gm)?.length, 3);
});

Deno.test("renderConfig() has the backend that traffic goes to once, with and without servers", () => {
  const count = (model: Model) =>
    textOf(model).split("\n").filter((line) => line === "backend backend").length;
  assertEquals([count(EMPTY_MODEL), count(modelOf({ "backend/a": "10.0.0.1:80" }))], [1, 1]);
});

const checked = (path: string | undefined, disabled = false) => ({
  address: "10.0.0.1:80",
  check: { path, disabled },
});
const paths: Record<string, [entries: Record<string, unknown>, line: string | undefined]> = {
  "the path that all checked servers share": [
    { "s/a": checked("/up"), "s/b": checked("/up"), "s/c": checked("/other", true) },
    "http-check send meth GET uri /up ver HTTP/1.1 hdr Host s",
  ],
  "a path with characters that HAProxy would read": [
    { "s/a": checked("/up?a=(b);c") },
    "http-check send meth GET uri '/up?a=(b);c' ver HTTP/1.1 hdr Host s",
  ],
  "no HTTP check where paths differ": [{ "s/a": checked("/up"), "s/b": checked("/ok") }, undefined],
  "the path of those that name one, beside servers that name none": [
    { "s/a": checked("/up"), "s/b": checked(undefined) },
    "http-check send meth GET uri /up ver HTTP/1.1 hdr Host s",
  ],
  "no HTTP check where no server is checked": [{ "s/a": checked("/up", true) }, undefined],
};

for (const [what, [entries, line]] of Object.entries(paths)) {
  Deno.test(`renderConfig() writes ${what}`, () => {
    const lines = (section(textOf(modelOf(entries)), "backend s") ?? "").split("\n").map((line) =>
      line.trim()
    );
    assertEquals(lines.find((line) => line.startsWith("http-check send")), line);
    assertEquals(lines.includes("option httpchk"), line !== undefined);
  });
}

/** Entries by `<service>/<id>`, without check paths: those are part of the base. */
const registry = fc.dictionary(
  fc.tuple(fc.constantFrom("backend", "shop", "a.b:c"), placeName).map((place) => place.join("/")),
  goodEntry.map((entry) => ({ ...entry, check: { ...entry.check, path: undefined } })),
  { maxKeys: 12 },
);

Deno.test("renderConfig() gives equal bytes for equal state, whatever the order of entries and their revisions", () => {
  const written = (entries: [string, unknown][], revision: bigint) =>
    textOf(buildModel({
      revision,
      entries: entries.map(([place, value]) => raw(`${SERVICES}${place}`, value, revision)),
    }, PREFIXES));
  fc.assert(fc.property(
    registry.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray(Object.entries(all), { minLength: Object.keys(all).length }),
      )
    ),
    ([all, shuffled]) => assertEquals(written(shuffled, 7n), written(Object.entries(all), 5n)),
  ));
});

Deno.test("renderConfig() gives a base that does not depend on the servers of a service", () => {
  fc.assert(fc.property(registry, registry, (before, after) => {
    const names = modelOf(before).services.map(({ name }) => name);
    const kept = names.map((name) => [`${name}/kept`, "10.0.0.1:80"] as const);
    const changed = Object.entries(after).filter(([place]) => names.includes(place.replace(/\/.*/, "")));
    const later = modelOf(Object.fromEntries([...kept, ...changed]));
    assertEquals(render(later).base, render(modelOf(before)).base);
  }));
});

Deno.test("renderConfig() gives a text that splits into its parts again, and names the server of each line", () => {
  fc.assert(fc.property(registry, (entries) => {
    const config = render(modelOf(entries));
    const text = joinConfig(config);
    assertEquals(splitConfig(text), config);
    assertEquals(joinConfig(splitConfig(text)), text);
    const named = text.split("\n").flatMap((line, index) => {
      const place = serverAtLine(config, index + 1);
      if (place !== undefined) assertStringIncludes(line, ` server ${place.server} `);
      return place === undefined ? [] : [`${place.backend}/${place.server}`];
    });
    assertEquals(named.sort(), Object.keys(entries).sort());
  }));
});

const LOOPS: Record<string, string> = {
  "trims nothing": "<% for (const s of it.services[0].servers) { %>\n    <%= it.serverLine(s) %>\n<% } %>\n",
  "trims every line":
    "<% for (const s of it.services[0].servers) { -%>\n    <%= it.serverLine(s) %>\n<% } -%>\n",
  "is on one line": "<% for (const s of it.services[0].servers) { %>    <%= it.serverLine(s) %>\n<% } %>\n",
};

for (const [what, loop] of Object.entries(LOOPS)) {
  Deno.test(`renderConfig() gives one base for any number of servers where a template's loop ${what}`, () => {
    const template = compileTemplate(`backend b\n    mode http\n${loop}    option httpchk\n`);
    const baseOf = (count: number) => {
      const entries = Array.from({ length: count }, (_, n) => [`b/${n}`, `10.0.0.${n + 1}:80`]);
      return render(modelOf({ "b/x": "10.0.0.9:80", ...Object.fromEntries(entries) }), template);
    };
    assertEquals(baseOf(9).servers.get("b")?.length, 10);
    assertEquals(baseOf(0).base, baseOf(1).base);
    assertEquals(baseOf(0).base, baseOf(9).base);
  });
}

Deno.test("renderConfig() lets a template quote what it writes", () => {
  const text = custom('frontend f\n    description <%= it.quote(`it\'s <"$HOME"> # mine`) %>\n');
  assertStringIncludes(text, `    description 'it'"'"'s <"$HOME"> # mine'\n`);
});

Deno.test("renderConfig() shows a template the services with the address of each server", () => {
  const text = custom(
    "<% for (const { name, servers } of it.services) { -%>\n# <%= name %>: <%= servers.map((s) => s.addressText) %>\n<% } -%>\n",
    modelOf({ "s/a": "[2001:DB8::5]:80", "t/b": "web.example:81" }),
  );
  assertStringIncludes(text, "# s: [2001:db8::5]:80\n# t: web.example:81\n");
});

Deno.test("renderConfig() keeps the servers of a template that are not in the registry", () => {
  const { servers } = renderConfig(EMPTY_MODEL, compileTemplate("backend b\n    server own 10.0.0.9:80\n"), {
    ...RENDER_SETTINGS,
  });
  assertEquals(servers.get("b")?.map(({ name }) => name), ["own"]);
});

Deno.test("renderConfig() quotes paths that hold characters of HAProxy's own", () => {
  const settings = { ...RENDER_SETTINGS, runtimeSocket: "/tmp/a b/r.sock", stateFile: "/tmp/a#b/$x" };
  const text = joinConfig(renderConfig(EMPTY_MODEL, embedded, settings));
  assertStringIncludes(text, "stats socket '/tmp/a b/r.sock' mode 600");
  assertStringIncludes(text, "server-state-file '/tmp/a#b/$x'\n");
});

const broken: Record<string, string> = {
  "that fails": "<%= it.nothing.here %>",
  "that throws no error": '<% throw "no reason" %>',
  "that quotes a line break": "<%= it.quote('a\\nb') %>",
};

for (const [what, template] of Object.entries(broken)) {
  Deno.test(`renderConfig() tells the operator of a template ${what}`, () => {
    const error = assertThrows(() => custom(template), ControllerError, "Cannot render the template: ");
    assertEquals(error.kind, "operator");
  });
}

Deno.test("compileTemplate() tells the operator of a syntax error", () => {
  const error = assertThrows(() => compileTemplate("<% for ( %>"), ControllerError, "Cannot compile");
  assertEquals(error.kind, "operator");
});

Deno.test("compileTemplate() shows the reason and not the program that eta makes", () => {
  const error = assertThrows(() => compileTemplate("<% if (x { %>\n<% } %>"), ControllerError);
  assertEquals(error.message, "Cannot compile the template: Bad template syntax; Unexpected token '{'");
});

withHaproxy(
  "renderConfig() writes what haproxy -c accepts, of every entry that the contract allows",
  async (haproxy) => {
    const values = fc.sample(goodEntry, { numRuns: 300, seed: 3 });
    const names = fc.sample(placeName, { numRuns: 300, seed: 4 });
    const services = [
      "backend",
      "main",
      "stats",
      "from",
      "etcd-haproxy",
      "-",
      ".",
      ":",
      "__proto__",
      "global",
    ];
    const entries = values.map((value, n) => [`${services[n % services.length]}/${names[n]}${n}`, value]);
    const model = modelOf(
      Object.fromEntries([...entries, [`${"s".repeat(128)}/${"i".repeat(128)}`, LONGEST]]),
    );
    assertEquals(model.rejections, []);
    const { code, output } = await runHaproxyCheck(haproxy, textOf(model));
    assertEquals(output.split("\n").filter((line) => line.startsWith("[ALERT]")), []);
    assertEquals(code, 0, output);
  },
);

const LONGEST = {
  address: `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}:65535`,
  ssl: true,
  proto: "h2",
  check: { path: `/${"%20".repeat(85)}` },
};

withHaproxy("renderConfig() writes a base that haproxy -c accepts without any server", async (haproxy) => {
  const { code, output } = await runHaproxyCheck(haproxy, textOf(EMPTY_MODEL));
  assertEquals(code, 0, output);
});

withHaproxy("renderConfig() writes a text whose fault haproxy -c finds", async (haproxy) => {
  const { code } = await runHaproxyCheck(haproxy, custom("backend b\n    bogus\n"));
  assertNotEquals(code, 0);
});

Deno.test("renderConfig() gives one base whether or not the default backend has servers", () => {
  const base = (entries: Record<string, string>) =>
    renderConfig(modelOf(entries), embedded, RENDER_SETTINGS).base;
  assertEquals(
    base({ "api/0": "10.0.0.1:80" }),
    base({ "api/0": "10.0.0.1:80", "backend/1": "10.0.0.2:80" }),
  );
});
