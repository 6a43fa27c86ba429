import { assert, assertEquals } from "@std/assert";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { register } from "../../lib/register/registration.ts";
import type { RegistrationEvent } from "../../lib/register/events.ts";
import { startEtcdCluster, waitFor } from "../support/mod.ts";

const CROWD = 1_000;
const TTL_SECONDS = 20;
const SLICE_MS = 100;
const LONG = { deadlineMs: 120_000, everyMs: 100 };

interface Noted {
  readonly atMs: number;
  readonly event: RegistrationEvent;
}

/** The most of these events in any slice of time. */
function mostAtOnce(noted: readonly Noted[]): number {
  const slices = new Map<number, number>();
  for (const { atMs } of noted) {
    const slice = Math.floor(atMs / SLICE_MS);
    slices.set(slice, (slices.get(slice) ?? 0) + 1);
  }
  return Math.max(0, ...slices.values());
}

function spreadMs(noted: readonly Noted[]): number {
  const times = noted.map(({ atMs }) => atMs);
  return Math.round(Math.max(...times) - Math.min(...times));
}

Deno.test("a thousand registrations of one process come back after an outage, each once, not in one instant", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  const noted: Noted[] = [];
  const of = (kind: RegistrationEvent["kind"]) => noted.filter(({ event }) => event.kind === kind);
  const registrations = Array.from({ length: CROWD }, (_, index) =>
    register({
      kv: client.kv,
      key: `/services/backend/${index}`,
      value: `10.0.0.1:${index + 1}`,
      ttlSeconds: TTL_SECONDS,
      onEvent: (event) => noted.push({ atMs: performance.now(), event }),
    }));
  const areRegistered = () =>
    registrations.every((registration) => registration.state().kind === "registered");
  await waitFor("all to be registered", areRegistered, LONG);
  noted.length = 0;

  await etcd[Symbol.asyncDispose]();
  await waitFor("the outage to be noticed", () => of("failing").length > CROWD / 2, LONG);
  const port = Number(new URL(etcd.member(0).endpoint).port);
  await using empty = await startEtcdCluster({ members: 1, clientPorts: [port] });
  await waitFor(
    "all to be registered again",
    () => of("registered").length >= CROWD && areRegistered(),
    LONG,
  );

  const count = await client.kv.getAll().prefix("/services/").count();
  const back = of("registered");
  const most = mostAtOnce(back);
  console.log(
    `      ${CROWD} registrations came back within ${spreadMs(back)} ms, ${most} in one ${SLICE_MS} ms`,
  );
  assertEquals([count, back.length, of("lost").length], [CROWD, CROWD, CROWD]);
  assert(most < CROWD / 2, `${most} came back in one instant`);
  // Each was put once, and nothing else wrote.
  assertEquals(Number((await client.kv.get("/services/backend/0").exec()).header.revision), CROWD + 1);
  await Promise.all(registrations.map((registration) => registration.remove({ limitMs: 10_000 })));
  client.close();
  await empty[Symbol.asyncDispose]();
});
