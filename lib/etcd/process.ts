import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { surviveGoaway } from "./goaway.ts";
import { acceptIpEndpoints } from "./tls.ts";

/**
 * Prepares a process for clients of etcd, once: it survives a GOAWAY, TLS works to IP addresses, and grpc-js writes no
 * lines of its own. This changes what the whole process shares (`http2.connect`, `tls.connect`), so it is for the program
 * to call, before the first client is made, and not for a part of it.
 */
export function prepareProcess(): void {
  // What goes wrong comes as errors; lines of the library's own would break the log's format.
  setLogVerbosity(logVerbosity.NONE);
  acceptIpEndpoints();
  surviveGoaway();
}
