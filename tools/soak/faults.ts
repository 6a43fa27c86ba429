import { haproxyPids } from "../../tests/support/haproxy_faults.ts";
import type { Stage } from "../../tests/support/stage.ts";
import { pause, waitFor } from "../local/wait.ts";
import type { SeededRandom } from "./random.ts";

/** Something that happens to a node at random times. */
export interface SoakFault {
  readonly name: string;
  /** Requests that end meanwhile may fail: for a moment no process listens. */
  readonly excuses?: true;
  run(stage: Stage, random: SeededRandom): Promise<void>;
}

/** Servers that stay, so that there is always one to answer. */
const MOST_SERVERS = 5;
const CHURN = 30;

export const FAULTS: readonly SoakFault[] = [
  {
    name: "a server registers or deregisters",
    run: async (stage, random) => {
      const extra = [...stage.origins.keys()].filter((id) => id.startsWith("extra-"));
      if (extra.length < MOST_SERVERS && random.next() < 0.5) {
        await stage.register(`extra-${random.between(1, 1_000_000)}`);
        return;
      }
      if (extra.length > 0) await deregister(stage, random.pick(extra));
    },
  },
  {
    name: "an etcd member is killed and started again",
    run: async (stage, random) => {
      const member = random.pick(stage.etcd.members);
      await member.kill();
      await pause(random.between(500, 3_000));
      await member.start();
    },
  },
  {
    name: "an etcd member is frozen",
    run: async (stage, random) => {
      const member = random.pick(stage.etcd.members);
      member.freeze();
      await pause(random.between(500, 4_000));
      member.resume();
      await member.untilAnswering();
    },
  },
  {
    name: "HAProxy's worker is killed",
    excuses: true,
    run: async (stage) => {
      const { master, worker } = await haproxyPids(stage.node);
      Deno.kill(worker, "SIGKILL");
      await stage.node.untilState("another HAProxy", ({ haproxy }) => {
        return haproxy.kind === "up" && haproxy.pid !== master;
      }, 30_000);
    },
  },
  { name: "SIGHUP", run: (stage) => Promise.resolve(stage.node.controller.kill("SIGHUP")) },
  {
    name: "the controller is frozen for a moment",
    run: async (stage, random) => {
      stage.node.controller.freeze();
      await pause(random.between(200, 2_000));
      stage.node.controller.resume();
    },
  },
  {
    name: "the runtime socket is removed",
    run: async (stage) => {
      await Deno.remove(stage.node.runtimeSocket);
      await waitFor("another runtime socket", () => isThere(stage.node.runtimeSocket), {
        deadlineMs: 30_000,
      });
    },
  },
  {
    name: "entries of other services come and go",
    run: async (stage, random) => {
      const service = `churn-${random.between(1, 3)}`;
      for (let i = 0; i < CHURN; i++) {
        const key = `/services/${service}/s${random.between(1, 10)}`;
        if (random.next() < 0.6) {
          await stage.etcd.put(key, `127.0.0.1:${random.between(20_000, 20_100)}`);
        } else await stage.etcd.delete(key);
      }
      if (random.next() < 0.5) await stage.etcd.etcdctl("del", "--prefix", `/services/${service}/`);
    },
  },
  {
    name: "bad entries come and go",
    run: async (stage, random) => {
      const bad = [
        "{",
        "no address",
        '{"host":"127.1","port":80}',
        '{"host":"10.0.0.1","port":0}',
        "\u001b[2J",
      ];
      for (const [at, value] of bad.entries()) {
        await stage.etcd.put(`/services/backend/bad-${at}`, value);
      }
      await pause(random.between(100, 1_000));
      await stage.etcd.etcdctl("del", "--prefix", "/services/backend/bad-");
    },
  },
  {
    name: "etcd is compacted",
    run: async (stage) => {
      // A revision is compacted once.
      await stage.etcd.put("/soak/compacted", "");
      await stage.etcd.etcdctl("compact", String(await stage.etcd.revision()));
    },
  },
];

/** It keeps answering until HAProxy has stopped using it. */
async function deregister(stage: Stage, id: string): Promise<void> {
  const origin = stage.origins.get(id);
  await stage.unregister(id);
  await stage.untilRight();
  await origin?.closeAbruptly();
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
