import { probe } from "../lib/util/probe.ts";

// The health check of the image: exit code 0 if the service on this host answers.
const port = Number(Deno.env.get("SERVICE_PORT") || "8080");

if (import.meta.main) {
  const target = { host: "127.0.0.1", port, path: "/healthz" };
  Deno.exit(await probe(target, AbortSignal.timeout(4_000)) ? 0 : 1);
}
