import { parseAddress } from "./address.ts";
import { sectionsOf } from "./config_section.ts";
import { type ConfigText, type ServerLine, type ServerLines, splitConfig } from "./config_text.ts";
import { configWords } from "./config_line.ts";
import type { Check, Server, Tls } from "./entry.ts";
import { compareBytes, EMPTY_MODEL, type Model, type Service } from "./model.ts";
import { comparable, paramKeywords } from "./server_line.ts";

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
  const paths = checkPaths(file);
  const services = [...servers].map(([name, lines]) => {
    const constant = new Set((own.get(name) ?? []).map((line) => line.name));
    const registered = lines.filter((line) => !constant.has(line.name));
    return { name, servers: registered.flatMap((line) => readServer(name, line, paths.get(name)) ?? []) };
  }).filter(({ servers }) => servers.length > 0);
  const sorted = services.map(sortService).sort((a, b) => compareBytes(a.name, b.name));
  const again = await render({ ...EMPTY_MODEL, services: sorted });
  return places(again.servers) === places(servers) ? sorted : [];
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
