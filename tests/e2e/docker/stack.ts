import { isPortFree, waitFor } from "../../support/mod.ts";
import { docker, type DockerOptions } from "./docker.ts";

const PROJECT = "etcd-haproxy-e2e";
const FILES = ["docker-compose.yml", "tests/e2e/docker/no_shell.yml"];
const MINUTE_MS = 60_000;
const HEALTHY_SECONDS = 180;

/** A load-balancer node of docker-compose.yml. */
export interface Node {
  readonly name: string;
  readonly port: number;
  readonly statsPort: number;
  readonly adminPort: number;
}

export const LB1: Node = { name: "lb1", port: 8001, statsPort: 8401, adminPort: 8501 };
export const LB2: Node = { name: "lb2", port: 8002, statsPort: 8402, adminPort: 8502 };
export const NODES: readonly Node[] = [LB1, LB2];
export const MEMBERS: readonly string[] = ["etcd1", "etcd2", "etcd3"];

/** The names that docker-compose.yml fixes: any other stack of it on this machine holds them too. */
const FIXED_NAMES = [...MEMBERS, ...NODES.map(({ name }) => name)];
const PORTS = NODES.flatMap(({ port, statsPort, adminPort }) => [port, statsPort, adminPort]);

/** Runs `docker compose ARGS` on the tests' own project. */
export function compose(args: readonly string[], options?: DockerOptions): Promise<string> {
  const files = FILES.flatMap((file) => ["--file", file]);
  return docker([
    ...["compose", "--ansi=never", "--progress=quiet", `--project-name=${PROJECT}`],
    ...files,
    ...args,
  ], options);
}

/**
 * Builds the images and starts the stack with one backend, after taking down what an earlier run may have left.
 *
 * @throws {Error} when another stack holds its names or ports, or when it does not become healthy
 */
export async function startStack(): Promise<void> {
  await takeDown();
  await refuseTakenNames();
  refuseTakenPorts();
  await up(["--build", "--wait", `--wait-timeout=${HEALTHY_SECONDS}`]);
}

async function refuseTakenNames(): Promise<void> {
  const there = lines(await docker(["ps", "--all", "--format={{.Names}}"]));
  const held = FIXED_NAMES.filter((name) => there.includes(name));
  if (held.length === 0) return;
  const names = held.join(", ");
  throw new Error(
    `Cannot start the stack: containers named ${names} exist; end them by "docker compose down"`,
  );
}

function refuseTakenPorts(): void {
  const taken = PORTS.filter((port) => !isPortFree(port, "0.0.0.0"));
  if (taken.length === 0) return;
  throw new Error(`Cannot start the stack: ports of this machine are in use: ${taken.join(", ")}`);
}

/** Starts what does not run, with this many backends, and waits until all of it is healthy. */
export async function scaleTo(backends: number): Promise<void> {
  await up([`--scale=backend=${backends}`]);
  // Not by compose's own --wait: on a busy machine a check may fail now and then, and it would give up at once.
  await waitFor(`${backends} backends and all else healthy`, async () => {
    const all = await containers();
    const ill = all.filter(({ Health }) => Health !== "healthy").map(({ Name, Health }) =>
      `${Name} ${Health}`
    );
    if (ill.length > 0) throw new Error(ill.join(", "));
    return all.filter(({ Service }) => Service === "backend").length === backends;
  }, { deadlineMs: 3 * MINUTE_MS, everyMs: 500 });
}

async function up(args: readonly string[]): Promise<void> {
  try {
    await compose(["up", "--detach", ...args], { deadlineMs: 15 * MINUTE_MS });
  } catch (error) {
    throw new Error(`${error}\n${await compose(["ps", "--all"])}\n${await compose(["logs", "--tail=15"])}`, {
      cause: error,
    });
  }
}

/**
 * Ends and removes containers, networks and volumes of the project; images and build cache stay.
 *
 * @throws {Error} when something is left
 */
export async function takeDown(): Promise<void> {
  await compose(["down", "--volumes", "--remove-orphans"], { deadlineMs: 3 * MINUTE_MS });
  const left = await leftovers();
  if (left.length > 0) throw new Error(`Cannot take the stack down: ${left.join(", ")} are left`);
}

async function leftovers(): Promise<string[]> {
  const filter = `--filter=label=com.docker.compose.project=${PROJECT}`;
  const kinds = [["ps", "--all"], ["network", "ls"], ["volume", "ls"]];
  return lines((await Promise.all(kinds.map((kind) => docker([...kind, "--quiet", filter])))).join("\n"));
}

/** A container of the project, as `docker compose ps` tells it. */
export interface Container {
  readonly ID: string;
  readonly Name: string;
  readonly Service: string;
  readonly State: string;
  readonly Health: string;
  readonly ExitCode: number;
}

/** The containers of the project, also the ended ones. */
export async function containers(): Promise<Container[]> {
  const text = await compose(["ps", "--all", "--no-trunc", "--format=json"]);
  return lines(text).map((line) => JSON.parse(line));
}

/** What `docker inspect` tells at this place of a container or image. */
export async function inspect<T>(name: string, place: string): Promise<T> {
  return JSON.parse(await docker(["inspect", `--format={{json ${place}}}`, name]));
}

/** A process of a container, with what the kernel says of its rights. */
export interface ContainerProcess {
  readonly name: string;
  /** Each of its sets of capabilities, in hexadecimal. */
  readonly capabilities: Readonly<Record<string, string>>;
  readonly noNewPrivileges: boolean;
}

/**
 * The processes of a container, as /proc shows them. Another container in its PID namespace looks, for not every image
 * has a shell, and the engine may be on another machine.
 */
export async function processesOf(container: string): Promise<ContainerProcess[]> {
  // A process may end between the listing and the look.
  const look = ["--entrypoint=/bin/sh", "etcd-haproxy-backend", "-c", "cat /proc/[0-9]*/status 2>&-; true"];
  const text = await docker(["run", "--rm", `--pid=container:${container}`, ...look]);
  return text.split(/^(?=Name:)/m).map(readStatus).filter(({ name }) => name !== "sh" && name !== "cat");
}

function readStatus(text: string): ContainerProcess {
  const fields = Object.fromEntries(lines(text).map((line) => line.split(/:\s*/, 2)));
  const sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((set) => [set, fields[set]]);
  return {
    name: fields.Name,
    capabilities: Object.fromEntries(sets),
    noNewPrivileges: fields.NoNewPrivs === "1",
  };
}

/** The names that the running backends answer with: their host's, which is the beginning of the container's id. */
export async function backendNames(): Promise<string[]> {
  const running = (await containers()).filter(({ Service, State }) =>
    Service === "backend" && State === "running"
  );
  return running.map(({ ID }) => ID.slice(0, 12)).sort();
}

/** Waits until exactly these backends answer through a node; each must be seen again for it. */
export async function untilAnswers(node: Node, names: readonly string[]): Promise<void> {
  const wanted = [...names].sort().join();
  await waitFor(`answers of exactly ${wanted} through ${node.name}`, async (signal) => {
    const seen = new Set<string>();
    for (let asked = 0; asked < 4 * names.length + 2; asked++) seen.add(await ask(node, signal));
    const text = [...seen].sort().join();
    if (text !== wanted) throw new Error(`answers came from ${text}`);
    return true;
  }, { deadlineMs: MINUTE_MS, everyMs: 200 });
}

async function ask(node: Node, signal: AbortSignal): Promise<string> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = await fetch(`http://127.0.0.1:${node.port}/`, { client, signal });
  return (await response.text()).trim();
}

/** Runs etcdctl in a member's container. */
export function etcdctl(member: string, ...args: readonly string[]): Promise<string> {
  return docker(["exec", member, "etcdctl", ...args]);
}

/** The lines of a text that hold something. */
export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
