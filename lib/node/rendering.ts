import type { RenderOptions } from "../config/options.ts";
import { createSocketAlias, type SocketAlias } from "../haproxy/socket_alias.ts";
import { stateDirAt } from "../haproxy/state/dir.ts";
import { compileTemplate, type RenderSettings, type Template } from "../config/render.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { bindWords, hasIpv6 } from "./listen.ts";

const EMBEDDED = new URL("../../templates/haproxy.cfg.eta", import.meta.url);

/**
 * Returns a function that gives the current template: the file of `--template`, which is read each time, or the embedded
 * one. The function throws a ControllerError (operator) when the file cannot be read or has a syntax error.
 */
export function templateSource(path: string | undefined): () => Promise<Template> {
  let compiled: { text: string; template: Template } | undefined;
  return async () => {
    if (path === undefined && compiled !== undefined) return compiled.template;
    const text = await readTemplate(path ?? EMBEDDED);
    if (compiled?.text !== text) compiled = { text, template: compileTemplate(text) };
    return compiled.template;
  };
}

async function readTemplate(path: string | URL): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new ControllerError("operator", `Cannot read template ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** What the configuration text depends on besides model and template. */
export function renderSettings(options: RenderOptions): RenderSettings {
  const dir = stateDirAt(options.stateDir);
  const ipv6 = hasIpv6();
  return {
    bind: bindWords(options.bind, ipv6),
    statsBind: bindWords(options.statsBind, ipv6),
    runtimeSocket: socketAlias(options).now(),
    stateFile: dir.stateFile,
    hardStopAfterMs: options.hardStopAfterMs,
    hasResolvConf: isReadable("/etc/resolv.conf"),
  };
}

/** The path of the runtime socket, in the spelling of the configuration file. */
export function socketAlias({ stateDir, config }: Pick<RenderOptions, "stateDir" | "config">): SocketAlias {
  return createSocketAlias(stateDirAt(stateDir).runtimeSocket, readIfThere(config));
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function isReadable(path: string): boolean {
  try {
    Deno.openSync(path).close();
    return true;
  } catch {
    return false;
  }
}
