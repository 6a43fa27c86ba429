import { assertEquals } from "@std/assert";
import type { NodeFacts } from "../../../lib/node/facts.ts";
import { type Problem, problemsOf } from "../../../lib/node/problems.ts";
import { factsOf, passOf, serverOf, servingFacts } from "../fixtures.ts";
import { EMPTY_MODEL } from "../../../lib/registry/model.ts";

const ANSWERS = { kind: "answers" } as const;

const HELD = Array.from({ length: 12 }, (_, id) => ({
  server: serverOf("10.0.0.5:80", `s/${id}`),
  since: 0,
  until: 1,
}));

const cases: Record<string, [facts: Partial<NodeFacts>, problems: Problem[]]> = {
  "nothing of a node that follows and serves": [servingFacts(), []],
  "nothing of a node that starts": [{ haproxy: { kind: "starting" } }, []],
  "a HAProxy that ended": [
    { haproxy: { kind: "down", reason: "exit code 1", retryInMs: 5 } },
    [{ kind: "haproxy-down", reason: "exit code 1" }],
  ],
  "a master that does not let itself be adopted": [
    { haproxy: { kind: "starting", reason: "no answer" } },
    [{ kind: "master-stuck", reason: "no answer" }],
  ],
  "a worker that says nothing": [
    { sockets: { worker: { kind: "stuck", reason: "a" }, master: ANSWERS } },
    [{ kind: "worker-stuck", reason: "a" }],
  ],
  "both sockets lost": [
    { sockets: { worker: { kind: "lost", reason: "a" }, master: { kind: "lost", reason: "b" } } },
    [{ kind: "runtime-socket-lost", reason: "a" }, { kind: "master-socket-lost", reason: "b" }],
  ],
  "etcd away": [{ etcd: { kind: "lost", reason: "a" } }, [{ kind: "etcd-lost", reason: "a" }]],
  "reads that etcd refuses": [
    { etcd: { kind: "watching", member: "1", readsRefused: "a" } },
    [{ kind: "etcd-reads-refused", reason: "a" }],
  ],
  "a pass that could not be made": [{ passError: "a" }, [{ kind: "pass-failed", reason: "a" }]],
  "a plan that was not reached": [{ lastPass: passOf(EMPTY_MODEL, { state: { applyError: "a" } }) }, [{
    kind: "not-applied",
    reason: "a",
  }]],
  "a refused base": [
    {
      lastPass: passOf(EMPTY_MODEL, {
        state: { refusedBase: { digest: "0", reason: "a", attempts: 1, retryAt: 0 } },
      }),
    },
    [{ kind: "base-refused", reason: "a" }],
  ],
  "servers that are held, ten of them by name": [
    { lastPass: passOf(EMPTY_MODEL, { held: HELD }) },
    [{
      kind: "servers-held",
      reason:
        "too many vanished at once without draining, kept for --guard-time at most: s/0, s/1, s/2, s/3, s/4, s/5, s/6, s/7, s/8, s/9 and 2 more",
    }],
  ],
  "node keys that may not be written": [
    { nodeKeys: { kind: "failing", reason: "no permission", refused: true } },
    [{ kind: "node-keys-refused", reason: "no permission" }],
  ],
  "no node keys that wait for etcd": [{ nodeKeys: { kind: "failing", reason: "a", refused: false } }, []],
  "a node's id that another node has": [
    { nodeKeys: { kind: "published", as: "lb1~00ff" } },
    [{ kind: "node-id-taken", reason: "another node has the id lb1, so this one is lb1~00ff" }],
  ],
  "a state directory that cannot be made": [{ stateDirLost: "a" }, [{ kind: "state-dir-lost", reason: "a" }]],
  "a last good copy that was not kept": [
    { lastPass: passOf(EMPTY_MODEL, { state: { lastGoodError: "a" } }) },
    [{
      kind: "last-good-not-kept",
      reason: "a",
    }],
  ],
  "a pass that hangs": [
    { passRunningMs: 4_200 },
    [{ kind: "pass-slow", reason: "a pass has been running for 4 s" }],
  ],
  "no pass that only takes its time": [{ passRunningMs: 1_500 }, []],
};

for (const [what, [facts, problems]] of Object.entries(cases)) {
  Deno.test(`problemsOf() tells ${what}`, () => assertEquals(problemsOf(factsOf(facts)), problems));
}

Deno.test("problemsOf() escapes what comes from outside", () => {
  assertEquals(problemsOf(factsOf({ passError: "a\u001b[31m" })), [
    { kind: "pass-failed", reason: "a\\x1b[31m" },
  ]);
});
