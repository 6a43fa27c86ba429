import { assertEquals } from "@std/assert";
import type { NodeEvent } from "../../../lib/node/events.ts";
import { createHealthNews } from "../../../lib/node/health_news.ts";
import type { Step } from "../../../lib/plan/step.ts";

const health = (kind: "server-up" | "server-down", server = "a", service = "web"): NodeEvent => ({
  kind,
  service,
  server,
  reason: "as HAProxy shows it",
});
const down = (server?: string, service?: string) => health("server-down", server, service);
const up = (server?: string, service?: string) => health("server-up", server, service);
const step = (action: Step["kind"], server = "a"): NodeEvent => ({
  kind: "step",
  service: "web",
  server,
  action,
  reason: "no entry asks for it",
});

const cases: Record<string, [events: NodeEvent[], news: boolean[]]> = {
  "is told once": [[down(), down()], [true, false]],
  "is told again when the other was told between": [[down(), up(), down()], [true, true, true]],
  "is another server's in another service": [[down(), down("a", "api")], [true, true]],
  "is another server's under another id": [[down(), down("b")], [true, true]],
  "is told of a server that is known to be up as well": [[up(), up()], [true, false]],
  "is told again when another HAProxy runs": [
    [down(), { kind: "haproxy-up", pid: 7, how: "started" }, down()],
    [true, true, true],
  ],
  "is not told again because of another server's step": [[down(), step("add", "b"), down()], [
    true,
    true,
    false,
  ]],
};

for (const [what, [events, news]] of Object.entries(cases)) {
  Deno.test(`createHealthNews(): a change of health ${what}`, () => {
    assertEquals(events.map(createHealthNews()), news);
  });
}

const forgets: Record<Step["kind"], boolean> = {
  add: true,
  replace: true,
  remove: true,
  maint: true,
  ready: true,
  address: false,
  weight: false,
};

for (const [action, isForgotten] of Object.entries(forgets) as [Step["kind"], boolean][]) {
  const says = isForgotten ? "tells again" : "does not tell again";
  Deno.test(`createHealthNews() ${says} that a server is down after the step ${action}`, () => {
    assertEquals([down(), step(action), down()].map(createHealthNews()), [true, true, isForgotten]);
  });
}

Deno.test("createHealthNews() takes everything else for news, as often as it comes", () => {
  const accepted: NodeEvent = { kind: "base-accepted" };
  assertEquals(
    [accepted, accepted, step("weight"), step("weight")].map(createHealthNews()),
    Array(4).fill(true),
  );
});

Deno.test("createHealthNews() forgets when it knows 20,000 servers, rather than to grow", () => {
  const isNews = createHealthNews();
  for (let id = 0; id < 20_000; id++) isNews(down(`s${id}`));
  assertEquals(isNews(down("s0")), false);
  assertEquals([isNews(down("one-more")), isNews(down("s0"))], [true, true]);
});
