import {
  castGrpcError,
  EtcdAuthenticationFailedError,
  EtcdError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCGenericError,
  GRPCInternalError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
} from "etcd3";
import { ControllerError, messageOf } from "../util/errors.ts";
import { escapeText } from "../util/escape.ts";
import { TimeUpError } from "../util/time.ts";

/** What the message about a failed call needs to know. */
export interface CallFacts {
  readonly url: string;
  /** Whether these connections had an answer before. */
  readonly hasAnswered: boolean;
  readonly username: string | undefined;
  /** A method of etcd's API, such as `range`. */
  readonly method: string;
  readonly payload: unknown;
  /** Why the credentials could not be read again, if that is so. */
  readonly stale: string | undefined;
}

/** Whether etcd may take the same call with a new token. */
export function isTokenRefused(error: unknown): boolean {
  return error instanceof EtcdInvalidAuthTokenError || error instanceof GRPCUnauthenticatedError ||
    isUserMissing(error) || messageOf(error).includes("revision of auth store is old");
}

/** Whether another name, password or permission would help. Takes etcd's error, or the one that `explainFailure()` made of it. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof ControllerError) return isRefusal(error.cause);
  return isTokenRefused(error) || error instanceof EtcdAuthenticationFailedError ||
    error instanceof EtcdPermissionDeniedError;
}

/** Words an error of etcd3 or gRPC for the person who has to act on it; other errors are returned as they are. */
export function explainFailure(error: unknown, facts: CallFacts): unknown {
  // Callers with a lease decide by its class.
  if (error instanceof EtcdLeaseInvalidError) return error;
  const refusal = refusalReason(error, facts);
  const reason = refusal ?? failureReason(error, facts);
  if (reason === undefined) return error;
  const stale = facts.stale === undefined ? "" : `; ${facts.stale}`;
  const kind = refusal === undefined ? "transient" : "operator";
  return new ControllerError(kind, `${reason}${stale}`, { cause: error });
}

function refusalReason(error: unknown, { username, url, method, payload }: CallFacts): string | undefined {
  const who = username === undefined ? "a client without --user" : `user ${escapeText(username)}`;
  if (error instanceof EtcdAuthenticationFailedError) return `etcd refuses ${who}: wrong name or password`;
  if (error instanceof EtcdPermissionDeniedError) {
    return `etcd refuses ${who}: no permission to ${action(method, payload)}`;
  }
  if (isUserMissing(error)) return `etcd refuses ${who}: authentication is on`;
  if (isTokenRefused(error)) return `etcd refuses the token of ${who}: ${plain(error)}`;
  if (error instanceof GRPCResourceExhastedError && messageOf(error).includes("database space exceeded")) {
    return `etcd at ${url} accepts no writes: database space exceeded (alarm NOSPACE)`;
  }
  return undefined;
}

function failureReason(error: unknown, facts: CallFacts): string | undefined {
  const { url, method, payload } = facts;
  if (error instanceof GRPCDeadlineExceededError || error instanceof TimeUpError) {
    return `etcd at ${url} does not answer`;
  }
  if (!(error instanceof GRPCGenericError || error instanceof EtcdError)) return undefined;
  const isBroken = error instanceof GRPCUnavailableError || error instanceof GRPCInternalError;
  // What etcd itself says of its state, such as that it has no leader.
  if (!isBroken || messageOf(error).includes("etcdserver: ")) {
    return `etcd at ${url} does not ${action(method, payload)}: ${plain(error)}`;
  }
  return `etcd cannot be reached at ${url}: ${connectionReason(error, facts)}`;
}

/** What streams were opened for. Their errors come as events, in gRPC's words. */
const streams = new WeakMap<object, () => CallFacts>();

/** Remembers what a stream was opened for; the facts are asked for when it fails. */
export function rememberStream(stream: unknown, facts: () => CallFacts): void {
  if (typeof stream === "object" && stream !== null) streams.set(stream, facts);
}

/** The same as `explainFailure()` for an error of a stream; `payload`: what it asked for. */
export function explainStreamFailure(stream: object, error: unknown, payload?: unknown): unknown {
  const facts = streams.get(stream)?.();
  if (facts === undefined || !(error instanceof Error)) return error;
  return explainFailure(castGrpcError(error), { ...facts, payload });
}

function isUserMissing(error: unknown): boolean {
  return messageOf(error).includes("etcdserver: user name is empty");
}

/** Likely causes of TLS errors and of connections that end. grpc-js does not learn more of a refused certificate. */
const HINTS: readonly (readonly [scheme: string, text: RegExp, hint: string])[] = [
  ["https:", /Connection dropped|ECONNRESET/, "does etcd accept the client certificate?"],
  ["http:", /EPIPE|ECONNRESET|Connection dropped/, "does etcd speak https there?"],
  ["https:", /fatal alert: \w*certificate/i, "does etcd accept the client certificate?"],
  ["https:", /before secure TLS connection|wrong version number/, "does etcd speak http there?"],
  ["https:", /certificate/, "is --cacert the authority of etcd's certificate?"],
];
/** Where etcd has answered before, the end of a connection needs no guess. */
const HINTS_ONCE_ANSWERED = HINTS.slice(2);

function connectionReason(error: Error, { url, hasAnswered }: CallFacts): string {
  const text = plain(error);
  const hints = hasAnswered ? HINTS_ONCE_ANSWERED : HINTS;
  const hint = hints.find(([scheme, pattern]) => url.startsWith(scheme) && pattern.test(text));
  return hint === undefined ? text : `${text} (${hint[2]})`;
}

/** Without gRPC's code, name and times. */
function plain(error: unknown): string {
  return messageOf(error)
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/^rpc error: code = \w+ desc = /, "")
    .replace(/^No connection established\. Last error: (.*?)( \(\d{4}-[^)]*\))?$/, "$1")
    .replace(/^Received RST_STREAM .* internal client error: /, "")
    .replace(/^Received RST_STREAM with code .*$/, "the call was reset")
    .replace(/^Name resolution failed for target .*$/, "its name does not resolve")
    .replace(/^etcdserver: /, "");
}

const ACTIONS: Readonly<Record<string, string>> = {
  range: "read",
  put: "write",
  deleteRange: "delete",
  txn: "change",
  watch: "watch",
  leaseGrant: "grant a lease",
  leaseKeepAlive: "renew a lease",
  leaseRevoke: "revoke a lease",
};

function action(method: string, payload: unknown): string {
  const verb = ACTIONS[method] ?? `call ${method}`;
  const key = keyOf(payload);
  return key === undefined ? verb : `${verb} ${escapeText(key)}`;
}

/** The key of a request; of a transaction the first one that it compares. */
function keyOf(payload: unknown): string | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  if ("compare" in payload && Array.isArray(payload.compare)) return keyOf(payload.compare[0]);
  if (!("key" in payload)) return undefined;
  const { key } = payload;
  if (typeof key === "string") return key;
  return key instanceof Uint8Array ? new TextDecoder("latin1").decode(key) : undefined;
}
