import { parseAddress } from "../registry/address.ts";
import { sectionsOf } from "../config/section.ts";
import { type ConfigText, type ServerLine, type ServerLines, splitConfig } from "../config/text.ts";
import { configWords } from "../config/line.ts";
import type { Check, Server, Tls } from "../registry/entry.ts";
import { compareBytes, EMPTY_MODEL, type Model, serverKey, type Service } from "../registry/model.ts";
import { comparable, paramKeywords, serverParams } from "../config/server_line.ts";

/**
 * Reads back from a file which servers of the registry it holds. What a template says without any service is not of the
 * registry. The result counts only if it renders to the same servers at the same addresses: a template may name its
 * backends after something else than services, and then nothing is known.
 */
export async function servedIn(
  file: string,
  render: (model: Model) => Promise<ConfigText>,
): Promise<readonly Service[]> {
  const { servers } = splitConfig(file);
  const own = (await render(EMPTY_MODEL)).servers;
  const constant = new Map([...own].map(([name, lines]) => [name, new Set(lines.map(({ name }) => name))]));
  const paths = checkPaths(file);
  const services = readServices(
    servers,
    (service, line) =>
      constant.get(service)?.has(line.name) ? undefined : readServer(service, line, paths.get(service)),
  );
  const again = await render({ ...EMPTY_MODEL, services });
  return places(again.servers) === places(servers) ? services : [];
}

/**
 * Reads back what a file tells of itself while the template fails, of the services that have a server in `known`: the
 * known servers, and those whose line was written for an entry. Whatever else stands there may be the template's own.
 */
export function servedWithoutTemplate(file: string, known: ReadonlySet<string>): readonly Service[] {
  const names = new Set([...known].map((key) => key.split("/", 1)[0]));
  const paths = checkPaths(file);
  return readServices(splitConfig(file).servers, (service, line) => {
    const server = names.has(service) ? readServer(service, line, paths.get(service)) : undefined;
    if (server === undefined || known.has(serverKey(server))) return server;
    // A template may add words of its own to those that it is given.
    return `${line.params} `.startsWith(`${serverParams(server)} `) ? server : undefined;
  });
}

function readServices(
  servers: ServerLines,
  read: (service: string, line: ServerLine) => Server | undefined,
): Service[] {
  return [...servers]
    .map(([name, lines]) => ({ name, servers: lines.flatMap((line) => read(name, line) ?? []) }))
    .filter(({ servers }) => servers.length > 0)
    .map(sortService)
    .sort((a, b) => compareBytes(a.name, b.name));
}

function sortService({ name, servers }: Service): Service {
  return { name, servers: [...servers].sort((a, b) => compareBytes(a.id, b.id)) };
}

/** Which server stands where, whatever its other parameters: a new version may write those differently. */
function places(servers: ServerLines): string {
  return [...servers].flatMap(([backend, lines]) =>
    lines.map((line) => `${backend}/${line.name} ${JSON.stringify(comparable(line).address)}`)
  ).sort().join("\n");
}

/** The path of a backend's HTTP check stands in its section, not in the lines of its servers. */
function checkPaths(file: string): ReadonlyMap<string, string> {
  const backends = sectionsOf(file).filter(({ keyword }) => keyword === "backend");
  return new Map(backends.flatMap(({ name, lines }) => {
    const words = lines.map(configWords).find(([first, second]) =>
      first === "http-check" && second === "send"
    );
    const path = words?.[words.indexOf("uri") + 1];
    return path === undefined || !words?.includes("uri") ? [] : [[name, path] as const];
  }));
}

function readServer(service: string, line: ServerLine, path: string | undefined): Server | undefined {
  const [addressText = ""] = configWords(line.params);
  const address = parseAddress(addressText);
  if (!address.ok) return undefined;
  const { weight, maint } = comparable(line);
  const options = paramKeywords(line.params);
  return {
    service,
    id: line.name,
    address: address.value,
    weight,
    state: maint ? "maint" : weight === 0 ? "drain" : "ready",
    backup: options.has("backup"),
    maxconn: Number(options.get("maxconn") ?? 0),
    tls: readTls(options),
    proto: options.get("proto") === "h2" ? "h2" : "h1",
    check: readCheck(options, path),
    revision: 0n,
  };
}

type Options = ReadonlyMap<string, string | undefined>;

function readTls(options: Options): Tls {
  if (!options.has("ssl")) return { kind: "off" };
  const verify = options.get("verify") === "none" ? "none" : "required";
  return { kind: "on", verify, name: options.get("check-sni") };
}

function readCheck(options: Options, path: string | undefined): Check {
  if (!options.has("check")) return { kind: "off" };
  const port = options.get("port");
  return { kind: "on", port: port === undefined ? undefined : Number(port), path };
}
