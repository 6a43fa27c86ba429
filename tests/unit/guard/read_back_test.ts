import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { joinConfig } from "../../../lib/config/text.ts";
import { EMPTY_MODEL, type Model } from "../../../lib/registry/model.ts";
import { compileTemplate, renderConfig } from "../../../lib/config/render.ts";
import { servedIn, servedWithoutTemplate } from "../../../lib/guard/read_back.ts";
import { goodEntry, placeName } from "../arbitraries.ts";
import { modelOf, RENDER_SETTINGS } from "../fixtures.ts";

const EMBEDDED = await Deno.readTextFile(new URL("../../../templates/haproxy.cfg.eta", import.meta.url));

const renderer = (template: string) => (model: Model) =>
  Promise.resolve(renderConfig(model, compileTemplate(template), RENDER_SETTINGS));

/** The places that are read back from what a template made of a model. */
async function readBack(model: Model, template = EMBEDDED): Promise<Model["services"]> {
  const render = renderer(template);
  return await servedIn(joinConfig(await render(model)), render);
}

Deno.test("servedIn() reads back servers that render to the same text", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.tuple(placeName, placeName).map((names) => names.join("/")), goodEntry),
      async (entries) => {
        const model = modelOf(entries);
        const services = await readBack(model);
        const render = renderer(EMBEDDED);
        const text = joinConfig(await render(model));
        assertEquals(joinConfig(await render({ ...EMPTY_MODEL, services })), text);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("servedWithoutTemplate() reads back the same as with it, of services that are known", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.tuple(placeName, placeName).map((names) => names.join("/")), goodEntry),
      async (entries) => {
        const model = modelOf(entries);
        const services = await readBack(model);
        const file = joinConfig(await renderer(EMBEDDED)(model));
        const known = new Set(services.map(({ name }) => `${name}/away`));
        assertEquals(servedWithoutTemplate(file, known), services);
        assertEquals(servedWithoutTemplate(file, new Set()), []);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("servedIn() reads nothing from a file without servers of the registry", async () => {
  assertEquals(await readBack(EMPTY_MODEL), []);
});

const STATIC = `
backend legacy
    server old 10.9.9.9:80 weight 1
<% for (const service of it.services) { %>
backend <%= service.name %>
<%   for (const server of service.servers) { %>
    <%= it.serverLine(server) %>
<%   } %>
<% } %>
`;

Deno.test("servedIn() leaves out the servers that the template has of its own", async () => {
  const services = await readBack(modelOf({ "s/a": "10.0.0.5:80" }), STATIC);
  assertEquals(services.map(({ name, servers }) => [name, servers.length]), [["s", 1]]);
});

const RENAMED = STATIC.replace("backend <%= service.name %>", "backend pool-<%= service.name %>");

Deno.test("servedIn() claims to know nothing when backends are not named as their services", async () => {
  assertEquals(await readBack(modelOf({ "s/a": "10.0.0.5:80" }), RENAMED), []);
});

const MIXED = STATIC.replace("<%= it.serverLine(server) %>", "<%= it.serverLine(server) %> slowstart 10s")
  .replace("<%   } %>", "<%   } %>\n    server sorry 10.9.9.8:80 weight 1 backup");

Deno.test("servedWithoutTemplate() leaves out lines that were not written for an entry, unless they are known", async () => {
  const text = joinConfig(await renderer(MIXED)(modelOf({ "s/a": "10.0.0.5:80", "s/b": "10.0.0.6:80" })));
  const read = (...known: string[]) =>
    servedWithoutTemplate(text, new Set(known)).map((
      { name, servers },
    ) => [name, servers.map(({ id }) => id)]);
  assertEquals(read("s/a"), [["s", ["a", "b"]]]);
  assertEquals(read("s/a", "s/sorry"), [["s", ["a", "b", "sorry"]]]);
  assertEquals(read("other/a"), []);
});
