import { waitFor } from "./mod.ts";
import type { TestNode } from "./node.ts";

/** An event as the page of events gives it, with the fields that tests look at. */
export interface EventView {
  readonly id: string;
  readonly at: string;
  readonly kind: string;
  readonly service?: string;
  readonly server?: string;
  readonly action?: string;
  readonly key?: string;
  readonly problem?: string;
  readonly reason?: string;
  readonly cause?: string;
  readonly result?: string;
}

export function eventsUrl({ adminPort }: TestNode): string {
  return `http://127.0.0.1:${adminPort}/api/v1/events`;
}

/** All events of a node, or those after one of them. */
export async function eventsOf(node: TestNode, after?: EventView): Promise<EventView[]> {
  const response = await fetch(`${eventsUrl(node)}${after === undefined ? "" : `?after=${after.id}`}`);
  const { events } = await response.json();
  return events;
}

/** Waits for an event with these fields, and returns it. */
export async function untilEvent(
  node: TestNode,
  wanted: Partial<EventView>,
  { after }: { readonly after?: EventView } = {},
): Promise<EventView> {
  return await waitFor(`an event of ${JSON.stringify(wanted)}`, async () => {
    const events = await eventsOf(node, after);
    const found = events.find((event) => isLike(event, wanted));
    if (found === undefined) throw new Error(JSON.stringify(events.slice(-10)));
    return found;
  }, { deadlineMs: 60_000 });
}

/** Whether an event has all of these fields. */
export function isLike(event: EventView, wanted: Partial<EventView>): boolean {
  const fields = new Map<string, unknown>(Object.entries(event));
  return Object.entries(wanted).every(([name, value]) => fields.get(name) === value);
}
