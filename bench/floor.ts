/**
 * The floor: the least that can follow etcd. A bare watch, and one line on HAProxy's runtime socket for each event; no
 * file, no check, no verification. Usage: floor.ts ENDPOINT PREFIX SOCKET
 */
import { prepareProcess } from "../lib/etcd/process.ts";
import { Range } from "etcd3";
import { createEtcdClient } from "../lib/etcd/client.ts";
import { openSession } from "../lib/haproxy/session.ts";

const TRY_AGAIN_MS = 10;
const TRIES = 100;

const [endpoint = "", prefix = "", socket = ""] = Deno.args;
const session = await openSession(socket);
let queue: Promise<unknown> = Promise.resolve();

/** Batches of one session must not overlap. */
function send(line: string): Promise<string> {
  const reply = queue.then(() => session.send([line]));
  queue = reply.catch(() => {});
  return reply;
}

function addressOf(value: string): string {
  return value.startsWith("{") ? JSON.parse(value).address : value;
}

async function add(server: string, value: string): Promise<void> {
  await send(
    `add server ${server} ${
      addressOf(value)
    } weight 100 pool-purge-delay 5s pool-max-conn -1; enable server ${server}`,
  );
}

async function remove(server: string): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const reply = await send(`set server ${server} state maint; del server ${server}`);
    if (!reply.includes("still has connections")) return;
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
  }
}

prepareProcess();
const stream = await createEtcdClient({ endpoints: [endpoint] }).openWatch();
stream.on("data", (response) => {
  if (response.created) console.log("watching");
  for (const { type, kv } of response.events) {
    const server = kv.key.toString().slice(prefix.length);
    const isPut = type.toLowerCase() === "put";
    (isPut ? add(server, kv.value.toString()) : remove(server)).catch((error) => console.error(error));
  }
});
const { start, end } = Range.prefix(prefix);
stream.write({ create_request: { key: start, range_end: end } });
