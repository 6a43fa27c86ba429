import { ADMIT_ALL } from "../../../lib/haproxy/admission.ts";
import { INITIAL_GUARD } from "../../../lib/guard/guard.ts";
import { joinConfig } from "../../../lib/config/text.ts";
import { runController } from "../../../lib/node/controller.ts";
import { EMPTY_MODEL, type Model } from "../../../lib/registry/model.ts";
import { ANY_NETWORK } from "../../../lib/registry/allowed_addresses.ts";
import { compileTemplate, renderConfig } from "../../../lib/config/render.ts";
import { sleep } from "../../../lib/util/time.ts";
import { createTrigger } from "../../../lib/node/trigger.ts";
import { waitFor } from "../../../tools/local/wait.ts";
import { HaproxyFake } from "../../support/haproxy_fake.ts";
import { PREFIXES, raw, RENDER_SETTINGS } from "../fixtures.ts";

const TEMPLATE = compileTemplate(
  await Deno.readTextFile(new URL("../../../templates/haproxy.cfg.eta", import.meta.url)),
);
const render = (model: Model) => renderConfig(model, TEMPLATE, RENDER_SETTINGS);
const HOUR_MS = 3_600_000;

/** A loop around a HAProxy in memory, on a clock that can be set. */
function startLoop() {
  const haproxy = new HaproxyFake();
  haproxy.boot(joinConfig(render(EMPTY_MODEL)));
  const trigger = createTrigger({ debounceMs: 1, maxWaitMs: 5 });
  const stop = new AbortController();
  const world = { offsetMs: 0, address: "10.0.0.1:80", revision: 1n, services: ["backend"] };
  const ended = runController({
    trigger,
    signal: stop.signal,
    resyncMs: HOUR_MS,
    snapshot: () => {
      const entries = world.services.map((name) => raw(`/services/${name}/a`, world.address, world.revision));
      return Promise.resolve({ revision: world.revision, entries });
    },
    onStart: () => {},
    onPass: () => {},
    onError: () => {},
    ports: {
      haproxy,
      admission: ADMIT_ALL,
      guard: {
        limits: undefined,
        load: () => Promise.resolve(INITIAL_GUARD),
        save: () => Promise.resolve(),
      },
      prefixes: PREFIXES,
      networks: ANY_NETWORK,
      render: (model) => Promise.resolve(render(model)),
      mode: "auto",
      reloadIntervalMs: 10,
      now: () => performance.now() + world.offsetMs,
      random: () => 0,
      wait: sleep,
    },
  });
  const end = async () => {
    stop.abort();
    await ended;
  };
  return { world, haproxy, trigger, end };
}

Deno.test("runController() follows while its clock jumps forwards by an hour", async () => {
  const { world, haproxy, trigger, end } = startLoop();
  trigger.ring();
  await waitFor("the first address", () => String(haproxy.model).includes("10.0.0.1:80"));
  world.offsetMs += HOUR_MS;
  Object.assign(world, { address: "10.0.0.2:80", revision: 2n });
  trigger.ring();
  await waitFor("the second address", () => String(haproxy.model).includes("10.0.0.2:80"));
  await end();
});

Deno.test("runController() reloads after its clock jumped forwards by an hour", async () => {
  const { world, haproxy, trigger, end } = startLoop();
  world.services.push("first");
  trigger.ring();
  await waitFor("the first service", () => String(haproxy.model).includes("first/a"));
  world.offsetMs += HOUR_MS;
  world.services.push("second");
  Object.assign(world, { revision: 2n });
  trigger.ring();
  await waitFor("the second service", () => String(haproxy.model).includes("second/a"));
  await end();
});
