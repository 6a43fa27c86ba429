import {
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCInternalError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
} from "etcd3";
import { ControllerError, messageOf } from "../errors.ts";
import { escapeText } from "../escape.ts";

/** What a call was about, as far as its failure has to say so. */
export interface CallFacts {
  readonly url: string;
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

/** Whether another name, password or permission would help: told from etcd's answer, or from the words that it was put in. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof ControllerError) return isRefusal(error.cause);
  return isTokenRefused(error) || error instanceof EtcdAuthenticationFailedError ||
    error instanceof EtcdPermissionDeniedError;
}

/** Words an error of etcd3 or gRPC for somebody who has to do something about it; others are returned as they are. */
export function explainFailure(error: unknown, facts: CallFacts): unknown {
  const stale = facts.stale === undefined ? "" : `; ${facts.stale}`;
  const refusal = refusalReason(error, facts);
  if (refusal !== undefined) return new ControllerError("operator", `${refusal}${stale}`, { cause: error });
  const silence = silenceReason(error, facts);
  if (silence !== undefined) return new ControllerError("transient", `${silence}${stale}`, { cause: error });
  return error;
}

function refusalReason(error: unknown, { username, method, payload }: CallFacts): string | undefined {
  const who = username === undefined ? "a client without --user" : `user ${escapeText(username)}`;
  if (error instanceof EtcdAuthenticationFailedError) return `etcd refuses ${who}: wrong name or password`;
  if (error instanceof EtcdPermissionDeniedError) {
    return `etcd refuses ${who}: no permission to ${action(method, payload)}`;
  }
  if (isUserMissing(error)) return `etcd refuses ${who}: its authentication is on`;
  if (isTokenRefused(error)) return `etcd refuses the token of ${who}: ${plain(error)}`;
  return undefined;
}

function silenceReason(error: unknown, { url }: CallFacts): string | undefined {
  if (error instanceof GRPCDeadlineExceededError) return `etcd at ${url} gives no answer`;
  if (error instanceof GRPCUnavailableError || error instanceof GRPCInternalError) {
    return `etcd cannot be reached at ${url}: ${connectionReason(error, url)}`;
  }
  return undefined;
}

/** Words what ended a stream, whose errors are gRPC's own. */
export function streamFailure(error: unknown): string {
  const text = plain(error);
  return messageOf(error).startsWith("14 UNAVAILABLE") ? `etcd cannot be reached: ${text}` : text;
}

function isUserMissing(error: unknown): boolean {
  return messageOf(error).includes("etcdserver: user name is empty");
}

/** What is behind the words of TLS and of connections that end; grpc-js learns of a refused certificate as dimly. */
const HINTS: readonly (readonly [scheme: string, text: RegExp, hint: string])[] = [
  [
    "https:",
    /Connection dropped|fatal alert: \w*certificate|ECONNRESET/i,
    "does etcd accept the client certificate?",
  ],
  ["https:", /before secure TLS connection|wrong version number/, "does etcd speak http there?"],
  ["https:", /certificate/, "is --cacert the authority of etcd's certificate?"],
  ["http:", /EPIPE|ECONNRESET|Connection dropped/, "does etcd speak https there?"],
];

function connectionReason(error: Error, url: string): string {
  const text = plain(error);
  const hint = HINTS.find(([scheme, pattern]) => url.startsWith(scheme) && pattern.test(text));
  return hint === undefined ? text : `${text} (${hint[2]})`;
}

/** Without gRPC's code, name and times. */
function plain(error: unknown): string {
  return messageOf(error)
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/^No connection established\. Last error: (.*?)( \(\d{4}-[^)]*\))?$/, "$1")
    .replace(/^Received RST_STREAM .* internal client error: /, "")
    .replace(/^etcdserver: /, "");
}

const ACTIONS: Readonly<Record<string, string>> = {
  range: "read",
  put: "write",
  deleteRange: "delete",
  txn: "change",
};

function action(method: string, payload: unknown): string {
  const verb = ACTIONS[method];
  const key = keyOf(payload);
  if (verb === undefined || key === undefined) return `call ${method}`;
  return `${verb} ${escapeText(key)}`;
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
