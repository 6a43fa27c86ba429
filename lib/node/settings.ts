import type { RenderOptions } from "../config/options.ts";
import { createSocketAlias, type SocketAlias } from "../haproxy/socket_alias.ts";
import { stateDirAt } from "../haproxy/state/dir.ts";
import type { RenderSettings } from "../config/render.ts";
import { bindWords, hasIpv6 } from "./listen.ts";

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
