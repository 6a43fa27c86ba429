import { assertEquals } from "@std/assert";
import type { Etcd3, IKeyValue } from "etcd3";
import { within } from "../../lib/util/time.ts";
import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { register, type Registration } from "../../lib/register/registration.ts";
import type { RegistrationEvent } from "../../lib/register/events.ts";
import { type EtcdCluster, pickPort, startEtcdCluster, waitFor } from "../support/mod.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const KEY = "/services/backend/web1-8080";
const TTL_SECONDS = 2;

interface Setting extends AsyncDisposable {
  readonly etcd: EtcdCluster;
  readonly client: EtcdClient;
  readonly events: RegistrationEvent[];
  register(
    value: string | undefined,
    options?: { ttlSeconds?: number; onEvent?: (event: RegistrationEvent) => void },
  ): Registration;
}

/** One etcd member and a client, of `endpoints` if given. What is registered is removed at the end. */
async function setting(endpoints: readonly string[] = []): Promise<Setting> {
  const etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: [...endpoints, ...etcd.endpoints] });
  const events: RegistrationEvent[] = [];
  const registrations: Registration[] = [];
  return {
    etcd,
    client,
    events,
    register(value, options = {}) {
      const onEvent = (event: RegistrationEvent) => events.push(event);
      const registration = register({
        kv: client.kv,
        key: KEY,
        value,
        ttlSeconds: TTL_SECONDS,
        onEvent,
        ...options,
      });
      registrations.push(registration);
      return registration;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(registrations.map((registration) => registration.remove({ limitMs: 500 })));
      client.close();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

async function readKey({ client }: Setting): Promise<IKeyValue | undefined> {
  return (await client.kv.get(KEY).exec()).kvs[0];
}

function untilKey(place: Setting, what: string, is: (kv: IKeyValue) => boolean): Promise<IKeyValue> {
  return waitFor(what, async () => {
    const kv = await readKey(place);
    return kv !== undefined && is(kv) ? kv : undefined;
  }, { deadlineMs: 30_000 });
}

/** Whether the registration knows that it put the key: this client may see the key before that. */
function hasTold({ events }: Setting, { mod_revision }: IKeyValue): boolean {
  return events.some((event) => "revision" in event && event.revision === BigInt(mod_revision));
}

function untilRegistered(place: Setting): Promise<IKeyValue> {
  return untilKey(place, "the key to be registered", (kv) => hasTold(place, kv));
}

/** The lease that took the key. */
function ownerOf({ taken }: Registration): Promise<string> {
  return within(taken, { limitMs: 30_000 });
}

async function leases({ client }: Setting): Promise<string[]> {
  return (await client.kv.leaseClient.leaseLeases()).leases.map(({ ID }) => ID);
}

/** How many leases etcd has renewed. */
async function renewals({ etcd }: Setting): Promise<number> {
  const metrics = await (await fetch(`${etcd.member(0).endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_lease_renewed_total (\d+)$/m.exec(metrics)?.[1]);
}

/** A client that makes the first transaction and then fails, as if its answer had been lost. */
function losingFirstAnswer(kv: Etcd3): Etcd3 {
  let lost = false;
  const losing: Etcd3["if"] = (...args) => {
    const transaction = kv.if(...args);
    const commit = transaction.commit.bind(transaction);
    transaction.commit = async () => {
      const answer = await commit();
      if (lost) return answer;
      lost = true;
      throw new Error("the answer was lost");
    };
    return transaction;
  };
  return new Proxy(kv, { get: (target, name) => name === "if" ? losing : Reflect.get(target, name) });
}

function isRenewalTimeout(event: RegistrationEvent): boolean {
  return event.kind === "failing" && event.call === "renew" &&
    String(event.error).includes("does not answer");
}

Deno.test("register() puts the key under a lease that is kept alive", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  const kv = await untilRegistered(place);
  assertEquals(String(kv.value), "v1");
  const state = registration.state();
  assertEquals(state, { kind: "registered", leaseId: kv.lease, revision: BigInt(kv.mod_revision) });
  await waitFor("more renewals than fit into the time to live", async () => await renewals(place) > 4);
  assertEquals(await readKey(place), kv);
});

Deno.test("register() waits for an etcd that starts later", async () => {
  await using place = await setting();
  await place.etcd.member(0).stop();
  const registration = place.register("v1");
  await waitFor("a failure to be reported", () => place.events.some((event) => event.kind === "failing"));
  assertEquals(registration.state(), { kind: "connecting", attempted: false });
  await place.etcd.member(0).start();
  assertEquals(String((await untilRegistered(place)).value), "v1");
});

Deno.test("register() puts the key back when its lease is revoked", async () => {
  await using place = await setting();
  place.register("v1");
  const { lease } = await untilRegistered(place);
  await place.client.kv.leaseClient.leaseRevoke({ ID: lease });
  const kv = await untilKey(place, "the key to be back", (kv) => kv.lease !== lease && hasTold(place, kv));
  assertEquals(String(kv.value), "v1");
  // On a slow machine, calls fail in between, or a check finds the key gone before a renewal finds the lease gone.
  const kinds = place.events.map(({ kind }) => kind).filter((kind) =>
    kind === "registered" || kind === "lost"
  );
  assertEquals(kinds, ["registered", "lost", "registered"]);
});

Deno.test("register() puts the key back, as it was updated last, when etcd comes back empty", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await registration.update("v2");
  await place.etcd[Symbol.asyncDispose]();
  const update = registration.update("v3");
  const port = Number(new URL(place.etcd.member(0).endpoint).port);
  await using _empty = await startEtcdCluster({ members: 1, clientPorts: [port] });
  const kv = await untilRegistered(place);
  assertEquals(String(kv.value), "v3");
  assertEquals(await update, BigInt(kv.mod_revision));
});

Deno.test("register() puts back a deleted key, under the same lease", async () => {
  await using place = await setting();
  place.register("v1");
  const { lease } = await untilRegistered(place);
  await place.client.kv.delete().key(KEY).exec();
  const kv = await untilRegistered(place);
  assertEquals([String(kv.value), kv.lease], ["v1", lease]);
  assertEquals(place.events.map((event) => event.kind), ["registered", "deleted", "registered"]);
});

Deno.test("register() leaves a key alone that another lease owns, names the owner and ends", async () => {
  await using place = await setting();
  const { ID } = await place.client.kv.leaseClient.leaseGrant({ TTL: 60 });
  await place.client.kv.put(KEY).value("other").lease(ID).exec();
  const before = await readKey(place);
  const registration = place.register("v1");
  assertEquals(await ownerOf(registration), ID);
  assertEquals(registration.state(), { kind: "ended" });
  await waitFor("its own lease to be gone", async () => (await leases(place)).join() === ID);
  assertEquals(await readKey(place), before);
});

Deno.test("register() leaves a key alone that was put without a lease", async () => {
  await using place = await setting();
  await place.client.kv.put(KEY).value("by hand").exec();
  assertEquals(await ownerOf(place.register("v1")), "0");
  assertEquals(String((await readKey(place))?.value), "by hand");
});

Deno.test("register() gives up a key that another lease took while its own had ended", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  const { lease } = await untilRegistered(place);
  const { ID } = await place.client.kv.leaseClient.leaseGrant({ TTL: 60 });
  await place.client.kv.leaseClient.leaseRevoke({ ID: lease });
  await place.client.kv.put(KEY).value("other").lease(ID).exec();
  assertEquals(await ownerOf(registration), ID);
  assertEquals(String((await readKey(place))?.value), "other");
});

Deno.test("register() gives up a key that another lease takes from it", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await untilRegistered(place);
  const { ID } = await place.client.kv.leaseClient.leaseGrant({ TTL: 60 });
  await place.client.kv.put(KEY).value("other").lease(ID).exec();
  assertEquals(await ownerOf(registration), ID);
  const update = registration.update("v2").catch((error) => error.message);
  assertEquals(await update, `Cannot update ${KEY}: its registration has ended`);
  assertEquals(String((await readKey(place))?.value), "other");
});

Deno.test("register() takes a put whose answer was lost for its own", async () => {
  await using place = await setting();
  const kv = losingFirstAnswer(place.client.kv);
  const registration = register({ kv, key: KEY, value: "v1", ttlSeconds: 60 });
  const found = await untilKey(place, "the key to be put", () => true);
  await waitFor("the put to be known", () => registration.state().kind === "registered");
  const state = { kind: "registered", leaseId: found.lease, revision: BigInt(found.mod_revision) } as const;
  assertEquals(registration.state(), state);
  assertEquals(await readKey(place), found);
  await registration.remove();
});

Deno.test("register() stays registered while etcd restarts", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await untilRegistered(place);
  await place.etcd.member(0).stop();
  await waitFor("a failure to be reported", () => place.events.some((event) => event.kind === "failing"));
  await place.etcd.member(0).start();
  await waitFor(
    "etcd to be reached again",
    () => place.events.some((event) => event.kind === "recovered" || event.kind === "lost"),
    { deadlineMs: 30_000 },
  );
  const revision = await registration.update("v2");
  assertEquals(await readKey(place).then((kv) => kv && BigInt(kv.mod_revision)), revision);
});

Deno.test("register() gets along with endpoints that accept connections and never answer", async () => {
  using silent1 = Deno.listen({ hostname: "127.0.0.1", port: pickPort() });
  using silent2 = Deno.listen({ hostname: "127.0.0.1", port: pickPort() });
  await using place = await setting([silent1, silent2].map(({ addr }) => `http://127.0.0.1:${addr.port}`));
  const registration = place.register("v1");
  await waitFor("a renewal to give up on a silent endpoint", () => place.events.some(isRenewalTimeout), {
    deadlineMs: 60_000,
  });
  await waitFor("the key to be registered all the same", () => registration.state().kind === "registered", {
    deadlineMs: 60_000,
  });
});

Deno.test("update() puts the new value under the same lease and gives the revision of the put", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  const before = await untilRegistered(place);
  const revision = await registration.update("v2");
  const after = await readKey(place);
  assertEquals(after && [String(after.value), after.lease, BigInt(after.mod_revision)], [
    "v2",
    before.lease,
    revision,
  ]);
});

Deno.test("withdraw() deletes the key and keeps the lease for the next update()", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  const { lease, mod_revision } = await untilRegistered(place);
  assertEquals(await registration.withdraw(), BigInt(mod_revision) + 1n);
  assertEquals(await readKey(place), undefined);
  assertEquals(registration.state(), { kind: "withdrawn", revision: BigInt(mod_revision) + 1n });
  await registration.update("v2");
  const kv = await readKey(place);
  assertEquals([String(kv?.value), kv?.lease], ["v2", lease]);
});

Deno.test("withdraw() claims no revision for a key that another client deleted", async () => {
  await using place = await setting();
  const registration = place.register("v1", { ttlSeconds: 600 });
  await untilRegistered(place);
  await place.client.kv.delete().key(KEY).exec();
  await registration.withdraw();
  assertEquals(registration.state(), { kind: "withdrawn", revision: undefined });
  const revision = await registration.update("v2");
  assertEquals(await registration.withdraw(), revision + 1n);
  assertEquals(registration.state(), { kind: "withdrawn", revision: revision + 1n });
});

Deno.test("withdraw() claims no revision for a key that went with its lease", async () => {
  await using place = await setting();
  const { promise: withdrawn, resolve } = Promise.withResolvers<void>();
  const onEvent = ({ kind }: RegistrationEvent) => {
    if (kind === "lost") registration.withdraw().then(() => resolve());
  };
  const registration = place.register("v1", { onEvent });
  const { lease } = await untilKey(place, "the key to be put", () => true);
  await place.client.kv.leaseClient.leaseRevoke({ ID: lease });
  await within(withdrawn, { limitMs: 30_000 });
  assertEquals(registration.state(), { kind: "withdrawn", revision: undefined });
  assertEquals(await leases(place), []);
});

Deno.test("register() without a value waits for one", async () => {
  await using place = await setting();
  const registration = place.register(undefined);
  assertEquals(registration.state(), { kind: "withdrawn", revision: 0n });
  assertEquals(await registration.withdraw(), 0n);
  assertEquals(await leases(place), []);
  await registration.update("v1");
  assertEquals(String((await readKey(place))?.value), "v1");
});

Deno.test("withdraw() leaves a key alone that another lease owns by now", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await untilRegistered(place);
  const { ID } = await place.client.kv.leaseClient.leaseGrant({ TTL: 60 });
  await place.client.kv.put(KEY).value("other").lease(ID).exec();
  registration.withdraw();
  assertEquals(await ownerOf(registration), ID);
  assertEquals(String((await readKey(place))?.value), "other");
});

Deno.test("update() fails when the registration ends before the put", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await untilRegistered(place);
  await place.etcd.member(0).stop();
  const update = registration.update("v2");
  await registration.remove({ limitMs: 200 });
  const messages = [update, registration.update("v3")].map((call) => call.catch((error) => error.message));
  const message = `Cannot update ${KEY}: its registration has ended`;
  assertEquals(await Promise.all(messages), [message, message]);
});

Deno.test("remove() deletes the key and ends the lease", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  const { lease, mod_revision } = await untilRegistered(place);
  assertEquals(await registration.remove(), { kind: "removed", revision: BigInt(mod_revision) + 1n });
  assertEquals(await readKey(place), undefined);
  assertEquals((await place.client.kv.leaseClient.leaseTimeToLive({ ID: lease })).TTL, "-1");
  assertEquals(registration.state(), { kind: "ended" });
});

Deno.test("remove() leaves a key that another lease owns by now", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await untilRegistered(place);
  const { ID } = await place.client.kv.leaseClient.leaseGrant({ TTL: 60 });
  await place.client.kv.put(KEY).value("other").lease(ID).exec();
  assertEquals((await registration.remove()).kind, "removed");
  assertEquals(String((await readKey(place))?.value), "other");
});

Deno.test("remove() says that it left the key to its lease when etcd is away", async () => {
  await using place = await setting();
  const registration = place.register("v1");
  await untilRegistered(place);
  await place.etcd.member(0).stop();
  assertEquals((await registration.remove()).kind, "expiring");
});
