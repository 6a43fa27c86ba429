import { Eta } from "eta";
import { formatAddress } from "../registry/address.ts";
import { quoteFormat, quoteWord } from "./line.ts";
import { type ConfigText, splitConfig } from "./text.ts";
import type { Server } from "../registry/entry.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { memoByObject } from "../util/memo.ts";
import type { Model, Service } from "../registry/model.ts";
import { serverParams, withServerIds } from "./server_line.ts";

/** All that the text depends on besides the model. */
export interface RenderSettings {
  /** A `bind` line's words for traffic, such as `127.0.0.1:8001` or `[::]:80 v4v6`. */
  readonly bind: string;
  /** The same for the statistics page and the Prometheus exporter. */
  readonly statsBind: string;
  readonly runtimeSocket: string;
  readonly stateFile: string;
  readonly hardStopAfterMs: number;
  /** Whether `/etc/resolv.conf` is there; HAProxy refuses a file that reads a missing one. */
  readonly hasResolvConf: boolean;
}

/** A template that is ready to render. */
export type Template = (data: TemplateData) => string;

/** The data of a template, which it knows as `it`. */
export interface TemplateData {
  readonly services: readonly TemplateService[];
  readonly bind: string;
  readonly statsBind: string;
  /** A whole `server` line, without indentation. */
  serverLine(server: TemplateServer): string;
  /** Quotes text as one word of the configuration. */
  quote(text: string): string;
  /** The same for a word that HAProxy reads as a log format, such as the value of a header. */
  quoteFormat(text: string): string;
}

export interface TemplateService {
  readonly name: string;
  readonly servers: readonly TemplateServer[];
  /** The path of the HTTP check, where the servers of the service that name one name the same. */
  readonly checkPath: string | undefined;
}

/** A server as templates see it, `addressText` being `host:port`. */
export type TemplateServer = Server & { readonly addressText: string };

/** The first line of every file that the controller may replace. */
export const MANAGED_LINE = "# Managed by etcd-haproxy";

/**
 * Compiles a template in eta's syntax.
 *
 * @throws {ControllerError} (operator) when the template has a syntax error
 */
export function compileTemplate(text: string): Template {
  // Escaping is for XML and would change what HAProxy reads.
  const eta = new Eta({ autoEscape: false, autoTrim: false });
  try {
    const compiled = eta.compile(text);
    return (data) => compiled.call(eta, data);
  } catch (error) {
    throw new ControllerError("operator", `Cannot compile the template: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Renders a model. Equal arguments give equal text: the model is sorted, and neither times nor revisions go in.
 *
 * @throws {ControllerError} (operator) when the template fails
 */
export function renderConfig(model: Model, template: Template, settings: RenderSettings): ConfigText {
  const config = splitConfig(
    `${MANAGED_LINE}\n${runTemplate(model, template, settings).trim()}\n\n${ownSections(settings)}`,
  );
  return { base: config.base, servers: withServerIds(config.servers) };
}

function runTemplate(model: Model, template: Template, { bind, statsBind }: RenderSettings): string {
  const services = model.services.map(templateService);
  try {
    return template({ services, bind, statsBind, serverLine, quote: quoteWord, quoteFormat });
  } catch (error) {
    throw new ControllerError("operator", `Cannot render the template: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function templateService(service: Service): TemplateService {
  const servers = service.servers.map(templateServer);
  return { name: service.name, servers, checkPath: commonCheckPath(service) };
}

const templateServer = memoByObject((server: Server): TemplateServer => {
  return { ...server, addressText: formatAddress(server.address) };
});

function commonCheckPath(service: Service): string | undefined {
  const paths = new Set(
    service.servers.flatMap(({ check }) =>
      check.kind === "on" && check.path !== undefined ? [check.path] : []
    ),
  );
  return paths.size === 1 ? [...paths][0] : undefined;
}

const serverLine = memoByObject((server: TemplateServer) => `server ${server.id} ${serverParams(server)}`);

/** The sections that the controller needs in every configuration. */
function ownSections(settings: RenderSettings): string {
  return [
    "resolvers etcd-haproxy",
    ...(settings.hasResolvConf ? ["    parse-resolv-conf"] : []),
    "",
    "global",
    `    stats socket ${quoteWord(settings.runtimeSocket)} mode 600 level admin expose-fd listeners`,
    `    server-state-file ${quoteWord(settings.stateFile)}`,
    `    hard-stop-after ${settings.hardStopAfterMs}ms`,
    "",
  ].join("\n");
}
