import type { CallOptions, Client, Metadata } from "@grpc/grpc-js";
import { castGrpcError, type ICallable, isRecoverableError } from "etcd3";
import { sleep } from "../util/time.ts";
import { TimeUpError, within } from "../util/time.ts";
import type { Connections } from "./connections.ts";
import { CALL_DEADLINE_MS, type Endpoint } from "./endpoint.ts";
import { type CallFacts, explainFailure, isRefusal, isTokenRefused, rememberStream } from "./refusal.ts";
import type { RenewableConnections } from "./renewal.ts";

/** A call with its attempts may take this long, so that an outage is noticed within 3 s. */
const CALL_TOTAL_MS = 2_900;
const ATTEMPTS = 3;
const PAUSE_MS = 50;

/** How etcd3 makes calls. */
export type Calls = Pick<ICallable<unknown>, "exec" | "withConnection">;

type Service = Parameters<Calls["exec"]>[0];
/** Makes a call or opens a stream, with metadata that hold the token. */
type Use<T> = (connection: { resource: unknown; client: Client; metadata: Metadata }) => Promise<T> | T;

interface Call<T> {
  readonly service: Service;
  readonly method: string;
  readonly payload: unknown;
  readonly isStream: boolean;
  readonly use: Use<T>;
}

/** What a stream of a service is opened for. */
const STREAM_METHODS: Readonly<Partial<Record<Service, string>>> = {
  Watch: "watch",
  Lease: "leaseKeepAlive",
};

/**
 * Makes calls with the token and the connections of now. A call that fails for a connection, a token or credentials that
 * have been replaced meanwhile is made again, on another endpoint; what remains of its failures is told in words.
 */
export function createCalls(renewal: RenewableConnections): Calls {
  // A watch is opened when the one before has ended: another endpoint is the better place then, whatever has happened.
  const watchPlaces = shuffledPlaces();
  const answered = new WeakSet<Connections>();

  async function make<T>(call: Call<T>, asked: Set<string>): Promise<T> {
    const place = call.service === "Watch" ? watchPlaces : shuffledPlaces();
    for (let attempts = 1;; attempts++) {
      const connections = await renewal.current();
      const endpoint = place(connections.endpoints);
      const facts = () => factsOf(call, connections, endpoint.url);
      asked.add(endpoint.url);
      try {
        const answer = await connections.use(() => attempt(call, connections, endpoint));
        if (call.isStream) rememberStream(answer, facts);
        else answered.add(connections);
        return answer;
      } catch (error) {
        const again = await mayGoAgain(error, connections);
        if (!again || attempts === ATTEMPTS) throw explainFailure(error, facts());
      }
      await sleep(PAUSE_MS);
    }
  }

  /** Takes up what was replaced meanwhile, and tells whether the call may end otherwise when it is made again. */
  async function mayGoAgain(error: unknown, connections: Connections): Promise<boolean> {
    if (!isRecoverable(error) && !isRefusal(error)) return false;
    await renewal.renew();
    return isRecoverable(error) || isTokenRefused(error) || await renewal.current() !== connections;
  }

  function factsOf(
    { method, payload }: Pick<Call<unknown>, "method" | "payload">,
    connections: Connections,
    url: string,
  ): CallFacts {
    const username = connections.credentials.auth?.username;
    const hasAnswered = answered.has(connections);
    return { url, hasAnswered, username, method, payload, stale: renewal.problem() };
  }

  async function inTime<T>(call: Call<T>): Promise<T> {
    const asked = new Set<string>();
    try {
      return await within(make(call, asked), { limitMs: CALL_TOTAL_MS });
    } catch (error) {
      if (!(error instanceof TimeUpError)) throw error;
      throw explainFailure(error, factsOf(call, await renewal.current(), [...asked].join(", ")));
    }
  }

  return {
    exec: <T>(service: Service, method: string, payload: unknown, options?: CallOptions) => {
      const use: Use<T> = ({ client, metadata }) => unary(client, { method, payload, metadata, options });
      return inTime({ service, method, payload, isStream: false, use });
    },
    withConnection: (service, use) => {
      const method = STREAM_METHODS[service] ?? service;
      return inTime({ service, method, payload: undefined, isStream: true, use });
    },
  };
}

async function attempt<T>(
  { service, use }: Call<T>,
  { tokens }: Connections,
  endpoint: Endpoint,
): Promise<T> {
  const token = await tokens.get(endpoint);
  const way = service === "Watch" ? endpoint.watches : endpoint.calls;
  try {
    return await way.withConnection(service, (connection) => {
      if (token !== undefined) connection.metadata.set("token", token);
      // A member without quorum then ends a watch instead of going silent.
      if (service === "Watch") connection.metadata.set("hasleader", "true");
      return use(connection);
    });
  } catch (error) {
    if (isTokenRefused(error)) tokens.forget(token);
    throw error;
  }
}

function isRecoverable(error: unknown): boolean {
  return error instanceof Error && isRecoverableError(error);
}

/** Goes round the endpoints in an order of its own: whichever connections are used, the next one is another endpoint. */
function shuffledPlaces(): (endpoints: readonly Endpoint[]) => Endpoint {
  let start: number | undefined;
  return (endpoints) => {
    start = start === undefined ? Math.floor(Math.random() * endpoints.length) : start + 1;
    const endpoint = endpoints[start % endpoints.length];
    if (endpoint === undefined) throw new Error("Cannot call etcd: no endpoint is given");
    return endpoint;
  };
}

/** The methods of etcd's API; grpc-js makes them from the protocol's description, so its types know none. */
interface UnaryMethods<T> {
  readonly [method: string]: (
    payload: unknown,
    metadata: Metadata,
    options: CallOptions,
    done: (error: Error | null, answer: T) => void,
  ) => void;
}

interface UnaryCall {
  readonly method: string;
  readonly payload: unknown;
  readonly metadata: Metadata;
  readonly options: CallOptions | undefined;
}

function unary<T>(client: Client, { method, payload, metadata, options }: UnaryCall): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const methods = client as unknown as UnaryMethods<T>;
  const bounds = { deadline: Date.now() + CALL_DEADLINE_MS, ...options };
  methods[method]?.(payload, metadata, bounds, (error, answer) => {
    if (error === null) resolve(answer);
    else reject(castGrpcError(error));
  });
  return promise;
}
