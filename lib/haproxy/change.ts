import { messageOf } from "../util/errors.ts";
import type { ChangeResult } from "../reconcile/ports.ts";
import { sleep } from "../util/time.ts";
import { type Step, stepKey } from "../plan/step.ts";
import { addLine, commandLine, deleteLine, drainLine, errorsIn } from "./wire/commands.ts";
import { parseUsedConnections } from "./wire/reply.ts";
import { openSession, type Session } from "./session.ts";

/** HAProxy refuses a longer line (`tune.bufsize`, 16,384 bytes by default). */
const MAX_LINE_BYTES = 15_000;
const STILL_CONNECTED = "still has connections";
const DELETE_ATTEMPTS = 5;
const DELETE_RETRY_MS = 10;
/** How many lines are sent before their answers are checked. */
const BATCH_LINES = 50;

type Removal = Extract<Step, { kind: "remove" | "replace" }>;

function isRemoval(step: Step): step is Removal {
  return step.kind === "remove" || step.kind === "replace";
}

/**
 * Makes steps over one connection, in their order, and stops after the batch in which HAProxy reported an error. Replies
 * only explain: what was reached is read back afterwards. Never rejects.
 */
export async function changeServers(
  socketPath: string,
  steps: readonly Step[],
  isUnready: (key: string) => boolean,
): Promise<ChangeResult> {
  const removals = steps.filter(isRemoval);
  const direct = steps.filter((step) => !isRemoval(step));
  const serving = removals.filter((step) => !step.isMaint && !(step.kind === "remove" && step.isDraining));
  const errors = await inSession(socketPath, async (session) => {
    const errors = await sendAll(session, [
      ...serving.map((step) => drainLine(stepKey(step))),
      ...direct.map((step) => commandLine(step, isUnready(stepKey(step)))),
    ]);
    return errors.length > 0 || removals.length === 0 ? errors : removeIdle(session, removals, isUnready);
  });
  return { errors };
}

/**
 * Brings up unready servers that passed their probe. Never rejects: it returns HAProxy's errors. A server that is not
 * brought up now is brought up by HAProxy's own check a moment later.
 */
export function bringUp(socketPath: string, lines: readonly string[]): Promise<readonly string[]> {
  return inSession(socketPath, (session) => sendAll(session, lines));
}

/** Never rejects: it returns what went wrong as an error text. */
async function inSession(
  socketPath: string,
  work: (session: Session) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  let session: Session | undefined;
  try {
    session = await openSession(socketPath);
    return await work(session);
  } catch (error) {
    return [messageOf(error)];
  } finally {
    session?.close();
  }
}

/** Deletes the servers without requests; a later pass tries the others again. */
async function removeIdle(
  session: Session,
  removals: readonly Removal[],
  isUnready: (key: string) => boolean,
): Promise<readonly string[]> {
  const used = await usedConnections(session, new Set(removals.map(({ backend }) => backend)));
  const idle = removals.filter((step) => (used.get(stepKey(step)) ?? 0) === 0);
  await deleteIdle(session, idle.map(stepKey));
  const replaced = idle.filter((step) => step.kind === "replace");
  return await sendAll(
    session,
    replaced.map((step) => addLine(stepKey(step), step.line, isUnready(stepKey(step)))),
  );
}

/** HAProxy closes idle connections to a server in maintenance, which takes a moment. */
async function deleteIdle(session: Session, servers: readonly string[]): Promise<void> {
  for (let attempt = 0; attempt < DELETE_ATTEMPTS; attempt++) {
    const reply = await session.send(servers.map(deleteLine));
    if (!reply.includes(STILL_CONNECTED)) return;
    await sleep(DELETE_RETRY_MS);
  }
}

async function usedConnections(
  session: Session,
  backends: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const used = new Map<string, number>();
  for (const backend of backends) {
    const reply = await session.send([`show servers conn ${backend}`]);
    for (const [server, count] of parseUsedConnections(reply)) used.set(server, count);
  }
  return used;
}

async function sendAll(session: Session, lines: readonly string[]): Promise<string[]> {
  const tooLong = lines.find((line) => new TextEncoder().encode(line).length > MAX_LINE_BYTES);
  if (tooLong !== undefined) return [`a command is longer than HAProxy takes: ${tooLong.slice(0, 80)}...`];
  for (let at = 0; at < lines.length; at += BATCH_LINES) {
    const errors = errorsIn(await session.send(lines.slice(at, at + BATCH_LINES)));
    if (errors.length > 0) return errors;
  }
  return [];
}
