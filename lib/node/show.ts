import type { HaproxyPort } from "../reconcile/ports.ts";
import { createAdmin } from "./admin.ts";
import { createEventsApi } from "./events_api.ts";
import type { NodeFacts } from "./facts.ts";
import { createHealthCache } from "./health_cache.ts";
import type { JournalReader } from "./journal.ts";
import type { Metrics } from "./metrics.ts";
import type { NodeRecorder } from "./recorder.ts";

/** What a node shows of itself. */
export interface NodeShow {
  /** What is known of the node; with `health` HAProxy is asked how its servers are, once a second at most. */
  facts(options: { readonly health: boolean }): Promise<NodeFacts>;
  /** Answers a request to the admin endpoints. */
  readonly respond: (request: Request) => Response | Promise<Response>;
  /** Ends all answers that go on. */
  close(): void;
}

/** Creates it. */
export function createShow({ recorder, journal, metrics, haproxy }: {
  readonly recorder: NodeRecorder;
  readonly journal: JournalReader;
  readonly metrics: Metrics;
  readonly haproxy: HaproxyPort;
}): NodeShow {
  const seen = createHealthCache(haproxy);
  const facts: NodeShow["facts"] = async ({ health }) => {
    if (!health) return recorder.facts();
    const observed = await seen();
    if (observed !== undefined) recorder.onSeen(observed);
    return { ...recorder.facts(), seen: observed };
  };
  const events = createEventsApi(journal);
  const respond = createAdmin({
    facts,
    events: events.respond,
    metricsText: async () => metrics.text(await facts({ health: true }), Date.now()),
    now: Date.now,
  });
  return { facts, respond, close: events.close };
}
