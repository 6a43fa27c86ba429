import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type EtcdCluster, type LocalProcess, pickPort, startEtcdCluster } from "../support/mod.ts";
import { pause, startProcess, tempDir, waitFor } from "../support/mod.ts";
import { canMakeCertificates, makeCertificates } from "../support/certificates.ts";
import { startTlsEtcd } from "../support/secured_etcd.ts";
import { type GoawayClientOptions, type GoawayClientResult, WATCHING } from "../support/goaway_client.ts";

const FOLLOWERS = 4;
const ROUNDS = 3;

/** glibc then fills memory that is freed, so that its use ends the process at once instead of now and then. */
const SHARP = { MALLOC_PERTURB_: "165" };

function startDeno(program: string, args: readonly string[], onLine?: (line: string) => void): LocalProcess {
  const file = fileURLToPath(new URL(`../support/${program}`, import.meta.url));
  return startProcess({
    name: program,
    command: Deno.execPath(),
    args: ["run", "-A", file, ...args],
    env: { ...Deno.env.toObject(), ...SHARP },
    ...(onLine === undefined ? {} : { onLine }),
  });
}

/** Waits for the end of a process that must have ended well, and returns its last line, which is JSON. */
async function resultOf<T>(process: LocalProcess): Promise<T> {
  const status = await process.status;
  assert(status.success, `ended by ${status.signal ?? status.code}\n${process.lines.slice(-5).join("\n")}`);
  return JSON.parse(process.lines.at(-1) ?? "");
}

function frame(type: number, payload: readonly number[], of: { flags: number; stream: number }): Uint8Array {
  return Uint8Array.from([0, 0, payload.length, type, of.flags, 0, 0, 0, of.stream, ...payload]);
}

const CONNECTION = { flags: 0, stream: 0 };
const SETTINGS = frame(4, [], CONNECTION);
/** `:status 200` and the end of stream 1. */
const ANSWER = frame(1, [0x88], { flags: 5, stream: 1 });

/** An HTTP/2 server that says GOAWAY with this code, then answers the first request if there is one to answer. */
async function sayGoaway(listener: Deno.TcpListener, code: number, answers: boolean): Promise<void> {
  const connection = await listener.accept();
  const closed = connection.readable.pipeTo(new WritableStream()).catch(() => {});
  const writer = connection.writable.getWriter();
  await writer.write(SETTINGS);
  await pause(100);
  await writer.write(frame(7, [0, 0, 0, 1, 0, 0, 0, code], CONNECTION));
  await pause(100);
  if (answers) await writer.write(ANSWER);
  await closed;
  await writer.close().catch(() => {});
}

for (
  const { what, code, requests, heard } of [
    { what: "an idle session end", code: 0, requests: 0, heard: ["goaway 0"] },
    { what: "a session finish its request and end", code: 0, requests: 1, heard: ["goaway 0", "status 200"] },
    {
      what: "a session end that pinged too often",
      code: 11,
      requests: 1,
      heard: ["goaway 11", "request failed", "Session closed with error code 11"],
    },
  ]
) {
  Deno.test(`surviveGoaway() lets ${what}`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = sayGoaway(listener, code, code === 0 && requests > 0);
    await using session = startDeno("goaway_session.ts", [String(listener.addr.port), String(requests)]);
    const result = await resultOf<string[]>(session);
    await served;
    assertEquals(result.toSorted(), [...heard, "closed, destroyed: true"].toSorted());
  });
}

/** Stops and starts the member under clients that read, write and watch. */
async function restartUnderClients(etcd: EtcdCluster, options: GoawayClientOptions): Promise<void> {
  let watching = 0;
  const count = (line: string) => void (line === WATCHING && watching++);
  await using clients = startDeno("goaway_client.ts", [JSON.stringify(options)], count);
  const untilWatching = (times: number) =>
    waitFor(`all watches for the ${times}. time`, () => {
      assertEquals(clients.exited, undefined, clients.lines.slice(-5).join("\n"));
      return watching >= times * options.followers;
    });
  await untilWatching(1);
  for (let round = 1; round <= ROUNDS; round++) {
    await etcd.member(0).stop();
    await etcd.member(0).start();
    await untilWatching(round + 1);
  }
  clients.kill("SIGTERM");
  const { written, seen, reads } = await resultOf<GoawayClientResult>(clients);
  assert(written > ROUNDS, `${written} keys written`);
  assertEquals(seen, seen.map(() => written));
  assertEquals(reads, reads.map(() => ["start"]), "the watches continued where they were");
}

Deno.test("clients outlive a member that is stopped as it should be, and their watches miss nothing", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const endpoint = etcd.member(0).endpoint;
  await restartUnderClients(etcd, { endpoint, followers: FOLLOWERS });
});

Deno.test({
  name: "clients outlive the same over TLS with client certificates (needs openssl for the certificates)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dir = await tempDir();
    const certificates = await makeCertificates(dir.path);
    const port = pickPort();
    await using etcd = await startTlsEtcd(port, certificates);
    const tls = { ca: certificates.ca, ...certificates.client };
    await restartUnderClients(etcd, { endpoint: `https://127.0.0.1:${port}`, tls, followers: FOLLOWERS });
  },
});
