import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { type LocalProcess, startEtcdCluster, startOrigin, startProcess, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { giveRoles, PASSWORD } from "../support/roles.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** etcd with the roles of SECURITY.md, and a way to act as one of its users. */
async function etcdWithRoles() {
  const etcd = await startEtcdCluster({ members: 1 });
  await giveRoles(["--endpoints", etcd.endpoints.join()]);
  const clients: EtcdClient[] = [];
  const as = (username: string) => {
    const credentials = () => Promise.resolve({ auth: { username, password: PASSWORD } });
    const client = createEtcdClient({ endpoints: etcd.endpoints, credentials });
    clients.push(client);
    return client.kv;
  };
  return {
    endpoints: etcd.endpoints,
    root: as("root"),
    as,
    async [Symbol.asyncDispose]() {
      clients.forEach((client) => client.close());
      await etcd[Symbol.asyncDispose]();
    },
  };
}

type Place = Awaited<ReturnType<typeof etcdWithRoles>>;

const KEYS = {
  service: "/services/api/one",
  otherService: "/services/api2/one",
  setting: "/haproxy/settings/servers/api/one",
  otherSetting: "/haproxy/settings/backends/api",
  node: "/haproxy/nodes/lb1/applied",
  elsewhere: "/elsewhere",
} as const;
type What = keyof typeof KEYS;

/** Tries to read and to write each kind of key, and returns what was let through. */
async function permitted({ as }: Place, user: string): Promise<{ reads: What[]; writes: What[] }> {
  const kv = as(user);
  const names = Object.keys(KEYS).filter((name): name is What => name in KEYS);
  const passes = async (call: () => Promise<unknown>) => {
    try {
      await call();
      return true;
    } catch (error) {
      assertMatch(String(error), new RegExp(`etcd refuses user ${user}: no permission to (read|write) /`));
      return false;
    }
  };
  const reads: What[] = [];
  const writes: What[] = [];
  for (const name of names) {
    if (await passes(() => kv.get(KEYS[name]).exec())) reads.push(name);
    if (await passes(() => kv.put(KEYS[name]).value("127.0.0.1:1").exec())) writes.push(name);
  }
  return { reads, writes };
}

function startRegister(place: Place, user: string, options: { service: string; port: number }): LocalProcess {
  return startProcess({
    name: "register",
    command: Deno.execPath(),
    args: [
      ...["run", "-A", MAIN, "register", "--endpoints", place.endpoints.join(), "--user", user],
      ...["--service", options.service, "--address", "127.0.0.1", "--port", String(options.port)],
      ...["--log-format", "text"],
    ],
    env: { ...Deno.env.toObject(), ETCD_PASSWORD: PASSWORD },
  });
}

Deno.test("the roles of SECURITY.md let each user do what it says, and nothing more", async () => {
  await using place = await etcdWithRoles();
  assertEquals(await permitted(place, "node"), {
    reads: ["service", "otherService", "setting", "node"],
    writes: ["node"],
  });
  assertEquals(await permitted(place, "backend-api"), { reads: ["service", "node"], writes: ["service"] });
  assertEquals(await permitted(place, "operator"), {
    reads: ["service", "otherService", "setting", "otherSetting", "node"],
    writes: ["setting"],
  });
});

Deno.test("a lease is revoked by those only who may write the keys that hang on it", async () => {
  await using place = await etcdWithRoles();
  const { ID } = await place.root.leaseClient.leaseGrant({ TTL: 60 });
  await place.root.put("/services/other/one").value("127.0.0.1:1").lease(ID).exec();
  await assertRejects(
    () => place.as("backend-api").leaseClient.leaseRevoke({ ID }),
    Error,
    "etcd refuses user backend-api: no permission",
  );
  const own = await place.as("backend-api").leaseClient.leaseGrant({ TTL: 60 });
  await place.as("backend-api").put("/services/api/one").value("127.0.0.1:1").lease(own.ID).exec();
  await place.as("backend-api").leaseClient.leaseRevoke({ ID: own.ID });
  assertEquals((await place.root.get("/services/api/one").exec()).kvs, []);
});

Deno.test("a node and a backend with their roles work: registered, served, acknowledged, left", async () => {
  await using place = await etcdWithRoles();
  await using one = startOrigin("one");
  await using node = await testNode({
    endpoints: place.endpoints,
    args: ["--node-id", "lb1", "--user", "node"],
    env: { ETCD_PASSWORD: PASSWORD },
  });
  const controller = node.start();
  await using backend = startRegister(place, "backend-api", { service: "api", port: one.port });
  await node.untilServers("api", [`${Deno.hostname()}-${one.port}`]);
  await waitFor("a node key", async () => {
    const { kvs } = await place.root.get("/haproxy/nodes/lb1/applied").exec();
    return kvs.length === 1;
  });
  backend.kill("SIGTERM");
  assert((await backend.status).success, backend.lines.slice(-5).join("\n"));
  assertEquals((await place.root.getAll().prefix("/services/").exec()).kvs, []);
  const refusals = (lines: readonly string[]) => lines.filter((line) => line.includes("etcd refuses"));
  assertEquals(refusals([...controller.lines, ...backend.lines]), []);
});

Deno.test("a backend cannot register under another service, and says why", async () => {
  await using place = await etcdWithRoles();
  await using backend = startRegister(place, "backend-api", { service: "api2", port: 8080 });
  await waitFor("the refusal", () => {
    return backend.lines.find((line) =>
      /etcd refuses, retrying .*etcd refuses user backend-api: no permission to change \/services\/api2\//
        .test(
          line,
        )
    );
  });
  assertEquals((await place.root.getAll().prefix("/services/").exec()).kvs, []);
});
