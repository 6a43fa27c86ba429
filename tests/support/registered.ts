import { assertEquals } from "@std/assert";
import type { EtcdCluster } from "../../tools/local/etcd_cluster.ts";
import { type LocalProcess, startProcess } from "../../tools/local/process.ts";
import { pause, waitFor } from "../../tools/local/wait.ts";
import { controllerCommand } from "./node.ts";

const LONG = { deadlineMs: 60_000 };

/** What to register, and what to run. */
export interface RegisteredOptions {
  readonly port: number;
  readonly id?: string;
  /** Further flags of `register`. */
  readonly args?: readonly string[];
  /** Without one it is a sidecar. */
  readonly command?: readonly string[];
  readonly endpoints?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A running `etcd-haproxy register`. Disposing it ends it and its command, without waiting for anything. */
export interface Registered extends AsyncDisposable {
  readonly process: LocalProcess;
  readonly key: string;
  /** The value of its key; empty if there is none. */
  read(): Promise<string>;
  /** Waits until its key is there and as wanted, and returns its value. */
  untilKey(wanted?: (value: string) => boolean): Promise<string>;
  untilNoKey(): Promise<void>;
  /** Waits until it has written a line that holds the text. */
  untilSaid(text: string): Promise<void>;
  said(text: string): boolean;
  /** Waits for its end, and returns its exit code. */
  untilEnd(): Promise<number>;
}

/** Starts `etcd-haproxy register --service backend` with a lease of 2 s. */
export function startRegistered(etcd: EtcdCluster, options: RegisteredOptions): Registered {
  const { port, id = `id-${port}`, args = [], command, env } = options;
  const { command: program, args: before } = controllerCommand();
  const flags = ["--endpoints", (options.endpoints ?? etcd.endpoints).join(), "--service", "backend"];
  const place = ["--port", String(port), "--id", id, "--lease-ttl", "2", "--log-format", "text"];
  const process = startProcess({
    name: "register",
    command: program,
    args: [...before, "register", ...flags, ...place, ...args, ...(command ? ["--", ...command] : [])],
    env: { ...Deno.env.toObject(), NO_COLOR: "1", ...env },
    keepLines: 1_000,
  });
  const key = `/services/backend/${id}`;
  const read = async () => (await etcd.get(key))?.value ?? "";
  const said = (text: string) => process.lines.some((line) => line.includes(text));
  const waiting = async <T>(what: string, condition: () => T | Promise<T>) => {
    try {
      return await waitFor(what, condition, LONG);
    } catch (error) {
      throw new Error(`${error}\n${process.lines.slice(-20).join("\n")}`, { cause: error });
    }
  };
  return {
    process,
    key,
    read,
    said,
    untilKey: (wanted = () => true) =>
      waiting(`${key} to be there`, async () => {
        const value = await read();
        return value !== "" && wanted(value) && value;
      }),
    untilNoKey: async () => {
      await waiting(`${key} to be gone`, async () => await read() === "");
    },
    untilSaid: async (text) => {
      await waiting(`"${text}" to be said`, () => said(text));
    },
    untilEnd: async () => {
      await waiting("the end", () => process.exited);
      // By then what it has written was read.
      const status = await process.status;
      assertEquals(status.signal, null);
      return status.code;
    },
    async [Symbol.asyncDispose]() {
      process.resume();
      // Each signal skips what it waits for: nodes, then its command. Killed, it would leave the command behind.
      for (let signals = 0; signals < 50 && process.exited === undefined; signals++) {
        process.kill("SIGTERM");
        const enough = new AbortController();
        await Promise.race([process.status, pause(200, enough.signal)]);
        enough.abort();
      }
      process.kill("SIGKILL");
      await process.status;
    },
  };
}

/** A shell command that runs until a signal ends it. */
export function shell(...traps: string[]): string[] {
  return ["/bin/sh", "-c", [...traps, "echo started", "while :; do sleep 0.05; done"].join("\n")];
}

/** Waits until a process has ended. */
export const NO_CHILD_LEFT = async (pid: number) => {
  // The command line of a zombie is empty.
  const commandLine = () => Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
  await waitFor("the command to be gone", async () => await commandLine() === "");
};
