import type { CallOptions, Client, Metadata } from "@grpc/grpc-js";
import { castGrpcError, ClientClosedError, type ICallable, isRecoverableError } from "etcd3";
import { sleep, TimeUpError, within } from "../util/time.ts";
import type { Connections, RenewableConnections } from "./connections.ts";
import { CALL_DEADLINE_MS, type Endpoint } from "./endpoint.ts";
import { type CallFacts, explainFailure, isRefusal, isTokenRefused, rememberStream } from "./refusal.ts";

/** A call with its attempts may take this long, so that an outage is noticed within 3 s. */
const CALL_TOTAL_MS = 2_900;
const ATTEMPTS = 3;
const PAUSE_MS = 50;

/** How etcd3 makes calls. */
export type Calls = Pick<ICallable<unknown>, "exec" | "withConnection">;

type Service = Parameters<Calls["exec"]>[0];

interface Call<T> {
  readonly service: Service;
  readonly method: string;
  readonly payload: unknown;
  readonly isStream: boolean;
  /** Makes the call or opens the stream, with metadata that hold the token. */
  readonly use: (connection: { resource: unknown; client: Client; metadata: Metadata }) => Promise<T> | T;
}

/** The methods of etcd's API. grpc-js makes them from the description of the protocol, so its types know none. */
interface UnaryMethods<T> {
  readonly [method: string]: (
    payload: unknown,
    metadata: Metadata,
    options: CallOptions,
    done: (error: Error | null, answer: T) => void,
  ) => void;
}

/**
 * Makes calls with the newest token and connections. A call that fails because of a connection, a token or credentials
 * that have been replaced meanwhile is made again, on another endpoint. Other failures are explained.
 */
export function createCalls(renewal: RenewableConnections): Calls {
  // A watch is opened again when the one before has ended: another endpoint is the better place then.
  const watchPlaces = shuffledPlaces();

  async function make<T>(call: Call<T>, asked: Set<string>): Promise<T> {
    const place = call.service === "Watch" ? watchPlaces : shuffledPlaces();
    for (let attempts = 1;; attempts++) {
      const connections = await renewal.current();
      const endpoint = place(connections.endpoints);
      const facts = () => factsOf(call, connections, endpoint.url);
      asked.add(endpoint.url);
      try {
        const answer = await attempt(call, connections, endpoint);
        if (call.isStream) rememberStream(answer, facts);
        else connections.hasAnswered = true;
        return answer;
      } catch (error) {
        const again = await mayGoAgain(error, connections);
        if (!again || attempts === ATTEMPTS) throw explainFailure(error, facts());
      }
      await sleep(PAUSE_MS);
    }
  }

  /** Takes up what was replaced meanwhile, and tells whether another attempt may succeed. */
  async function mayGoAgain(error: unknown, connections: Connections): Promise<boolean> {
    const isRecoverable = error instanceof Error && isRecoverableError(error);
    if (!isRecoverable && !isRefusal(error) && !(error instanceof ClientClosedError)) return false;
    await renewal.renew();
    return isRecoverable || isTokenRefused(error) || await renewal.current() !== connections;
  }

  function factsOf(call: Call<unknown>, connections: Connections, url: string): CallFacts {
    const { credentials: { auth }, hasAnswered } = connections;
    const { method, payload } = call;
    return { url, hasAnswered, username: auth?.username, method, payload, stale: renewal.problem() };
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
      // A deadline is a moment, but each attempt needs its time. None continues after the call.
      const { deadline } = options ?? {};
      const attemptMs = deadline === undefined ? CALL_DEADLINE_MS : Number(deadline) - Date.now();
      const endsAt = Date.now() + CALL_TOTAL_MS;
      const use: Call<T>["use"] = ({ client, metadata }) => {
        const { promise, resolve, reject } = Promise.withResolvers<T>();
        const methods = client as unknown as UnaryMethods<T>;
        const bounds = { ...options, deadline: Math.min(Date.now() + attemptMs, endsAt) };
        methods[method]?.(payload, metadata, bounds, (error, answer) => {
          if (error === null) resolve(answer);
          else reject(castGrpcError(error));
        });
        return promise;
      };
      return inTime({ service, method, payload, isStream: false, use });
    },
    withConnection: (service, use) => {
      // Streams are opened of two services: Watch and Lease.
      const method = service === "Lease" ? "leaseKeepAlive" : service.toLowerCase();
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

/** Goes round the endpoints from a random one. The next one is another endpoint, also after new connections were made. */
function shuffledPlaces(): (endpoints: readonly Endpoint[]) => Endpoint {
  let at: number | undefined;
  return (endpoints) => {
    at = at === undefined ? Math.floor(Math.random() * endpoints.length) : at + 1;
    const endpoint = endpoints[at % endpoints.length];
    if (endpoint === undefined) throw new Error("Cannot call etcd: no endpoint is given");
    return endpoint;
  };
}
