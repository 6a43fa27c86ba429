import { assert, assertEquals } from "@std/assert";
import { castGrpcError } from "etcd3";
import { ControllerError } from "../../../lib/util/errors.ts";
import { TimeUpError } from "../../../lib/util/time.ts";
import {
  type CallFacts,
  explainFailure,
  explainStreamFailure,
  rememberStream,
} from "../../../lib/etcd/refusal.ts";

const URL = "http://10.0.0.5:2379";
const FACTS: CallFacts = {
  url: URL,
  hasAnswered: true,
  username: "api",
  method: "put",
  payload: { key: "/services/api/one" },
  stale: undefined,
};

/** An error as grpc-js makes it, with its code in front. */
function grpcError(text: string): Error {
  return Object.assign(new Error(text), { code: Number.parseInt(text) });
}

function explained(text: string, facts: Partial<CallFacts> = {}): ControllerError {
  const error = explainFailure(castGrpcError(grpcError(text)), { ...FACTS, ...facts });
  assert(error instanceof ControllerError);
  return error;
}

for (
  const [text, kind, told] of [
    [
      "14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 10.0.0.5:2379 (2026-01-01T00:00:00.000Z)",
      "transient",
      `etcd cannot be reached at ${URL}: connect ECONNREFUSED 10.0.0.5:2379`,
    ],
    [
      "14 UNAVAILABLE: Connection dropped",
      "transient",
      `etcd cannot be reached at ${URL}: Connection dropped`,
    ],
    [
      "14 UNAVAILABLE: Name resolution failed for target dns:etcd1:2379",
      "transient",
      `etcd cannot be reached at ${URL}: its name does not resolve`,
    ],
    [
      "13 INTERNAL: Received RST_STREAM with code 2",
      "transient",
      `etcd cannot be reached at ${URL}: the call was reset`,
    ],
    [
      "14 UNAVAILABLE: etcdserver: no leader",
      "transient",
      `etcd at ${URL} does not write /services/api/one: no leader`,
    ],
    [
      "8 RESOURCE_EXHAUSTED: grpc: received message larger than max (2097164 vs. 2097152)",
      "transient",
      `etcd at ${URL} does not write /services/api/one: grpc: received message larger than max (2097164 vs. 2097152)`,
    ],
    ["4 DEADLINE_EXCEEDED: Deadline exceeded after 1.0s", "transient", `etcd at ${URL} does not answer`],
    [
      "8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded",
      "operator",
      `etcd at ${URL} accepts no writes: database space exceeded (alarm NOSPACE)`,
    ],
    [
      "7 PERMISSION_DENIED: etcdserver: permission denied",
      "operator",
      "etcd refuses user api: no permission to write /services/api/one",
    ],
  ] as const
) {
  Deno.test(`explainFailure() words a failure, the same each time: ${told}`, () => {
    const error = explained(text);
    assertEquals([error.kind, error.message], [kind, told]);
  });
}

Deno.test("explainFailure() guesses why a connection ended only where etcd has never answered", () => {
  const dropped = "14 UNAVAILABLE: Connection dropped";
  assertEquals(
    explained(dropped, { hasAnswered: false }).message,
    `etcd cannot be reached at ${URL}: Connection dropped (does etcd speak https there?)`,
  );
  const certificate = "14 UNAVAILABLE: No connection established. Last error: certificate has expired";
  assertEquals(
    explained(certificate, { url: "https://10.0.0.5:2379" }).message,
    "etcd cannot be reached at https://10.0.0.5:2379: certificate has expired (is --cacert the authority of etcd's certificate?)",
  );
});

Deno.test("explainFailure() names the endpoint that did not answer in time, and why credentials are old", () => {
  const stale = "Cannot read /secret: it is gone";
  const error = explainFailure(new TimeUpError(2_900), { ...FACTS, stale });
  assert(error instanceof ControllerError);
  assertEquals(error.message, `etcd at ${URL} does not answer; ${stale}`);
});

Deno.test("explainFailure() returns the end of a lease, and errors that are not etcd's, as they are", () => {
  const ended = castGrpcError(grpcError("5 NOT_FOUND: etcdserver: requested lease not found"));
  const bug = new TypeError("x is not a function");
  assert(explainFailure(ended, FACTS) === ended);
  assert(explainFailure(bug, FACTS) === bug);
});

Deno.test("explainStreamFailure() names what the stream was opened for, and what it asked", () => {
  const stream = {};
  rememberStream(stream, () => ({ ...FACTS, method: "watch", payload: undefined }));
  const refused = explainStreamFailure(
    stream,
    grpcError("7 PERMISSION_DENIED: etcdserver: permission denied"),
    {
      key: "/services/",
    },
  );
  assert(refused instanceof ControllerError);
  assertEquals(refused.message, "etcd refuses user api: no permission to watch /services/");
  const unknown = new Error("14 UNAVAILABLE: Connection dropped");
  assert(explainStreamFailure({}, unknown) === unknown);
});
