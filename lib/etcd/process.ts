import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { surviveGoaway } from "./goaway.ts";
import { acceptIpEndpoints } from "./tls.ts";

let isPrepared = false;

/**
 * Prepares a process for clients of etcd, once: it survives a GOAWAY, TLS works to IP addresses, and grpc-js writes no
 * lines of its own. This changes what the whole process shares (`http2.connect`, `tls.connect`), so the program calls it,
 * before it makes the first client.
 */
export function prepareProcess(): void {
  if (isPrepared) return;
  isPrepared = true;
  // Failures are reported as errors; lines of the library would break the log's format.
  setLogVerbosity(logVerbosity.NONE);
  acceptIpEndpoints();
  surviveGoaway();
}
