import { assertEquals } from "@std/assert";
import { Load } from "../../support/mod.ts";
import type { Node } from "./stack.ts";

/** Clients that send requests to these nodes until they are stopped; half of them keep their connection. */
export function startLoad(nodes: readonly Node[]): Load {
  const load = new Load({
    targets: nodes.map(({ name, port }) => ({
      name,
      url: `http://127.0.0.1:${port}/`,
      keepAliveClients: 2,
      oneShotClients: 2,
    })),
    // A backend that vanished costs a request one or two connection attempts of HAProxy before another answers it.
    timeoutMs: 15_000,
    backendOf: (reply) => reply.body.trim(),
  });
  load.start();
  return load;
}

/** Stops the load; each of its requests must have been answered well. */
export async function assertNoFailure(load: Load): Promise<void> {
  await load.stop();
  const failures = load.chapters.flatMap(({ name, all }) =>
    all.failures.map(({ target, kind }) => `${name}: ${target}: ${kind}`)
  );
  assertEquals(failures, []);
}
