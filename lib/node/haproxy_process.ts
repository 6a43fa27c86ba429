import { renderConfig } from "../config/render.ts";
import { joinConfig } from "../config/text.ts";
import { prepareBoot } from "../haproxy/boot.ts";
import { haproxyVersion } from "../haproxy/check.ts";
import { modifiedAt } from "../haproxy/config_file.ts";
import { logHaproxyLine } from "../haproxy/log.ts";
import {
  type AdoptionWait,
  adoptMaster,
  type Master,
  type MasterOptions,
  startMaster,
} from "../haproxy/master.ts";
import { createOutput } from "../haproxy/output.ts";
import { untilReady } from "../haproxy/ready.ts";
import type { SocketAlias } from "../haproxy/socket_alias.ts";
import type { OpenStateDir, StateDir } from "../haproxy/state/dir.ts";
import { EMPTY_MODEL } from "../registry/model.ts";
import { messageOf } from "../util/errors.ts";
import { log } from "../util/log.ts";
import type { NodeRecorder } from "./recorder.ts";
import { type renderSettings, templateSource } from "./rendering.ts";

/** What the node's HAProxy is opened with. */
export interface HaproxyOptions {
  /** Looks the program up; throws a ControllerError when it is not found. */
  readonly program: () => string;
  readonly configPath: string;
  readonly replaceConfig: boolean;
  /** The master socket of an HAProxy that is run by something else; undefined when the node runs its own. */
  readonly attach: string | undefined;
  readonly stateDir: OpenStateDir;
  /** The configuration without any server. */
  readonly builtIn: () => Promise<string>;
  readonly socketAlias: SocketAlias;
  readonly stopTimeoutMs: number;
}

/** The empty configuration. HAProxy must start even when the user's template fails. */
export async function builtIn(
  template: ReturnType<typeof templateSource>,
  rendering: ReturnType<typeof renderSettings>,
) {
  try {
    return joinConfig(renderConfig(EMPTY_MODEL, await template(), rendering));
  } catch (error) {
    log().error("template failed, starting with the embedded one", { reason: messageOf(error) });
    return joinConfig(renderConfig(EMPTY_MODEL, await templateSource(undefined)(), rendering));
  }
}

/** What the supervisor or the attachment calls to prepare, start and adopt a master. */
export function masterPorts(
  { program, configPath, builtIn, stateDir: { files } }: HaproxyOptions,
  { dir, recorder }: { readonly dir: StateDir; readonly recorder: NodeRecorder },
) {
  const output = createOutput(dir.output, (bytes) => {
    log().info("reading older haproxy output", { file: dir.output, ...bytes });
  });
  const options: MasterOptions = {
    configPath,
    dir,
    output,
    files,
    onLine: (line, isNew) => {
      logHaproxyLine(line);
      // Old lines make no health events.
      if (isNew) recorder.onHaproxyLine(line);
    },
    onHearing: (failure) => {
      recorder.onHearing(failure === undefined);
      if (failure !== undefined) log().warn("haproxy output is not logged", { reason: failure });
    },
  };
  const noteInherited = async () => {
    const verifiedAt = await modifiedAt(dir.lastGood);
    if (verifiedAt !== undefined) recorder.onInherited(verifiedAt);
  };
  const prepare = async () => {
    const haproxy = program();
    recorder.onHaproxyVersion(await haproxyVersion(haproxy));
    const boot = await prepareBoot({ haproxy, configPath, dir, files, builtIn: await builtIn() });
    boot.skipped.forEach((reason) => log().error("configuration is invalid, skipping it", { reason }));
    return boot.origin;
  };
  return {
    prepare,
    noteInherited,
    adopt: async (wait: AdoptionWait) => {
      const master = await adoptMaster(options, wait);
      if (master !== undefined) await noteInherited();
      return master;
    },
    start: async () => {
      const origin = await prepare();
      if (origin !== "built-in") await noteInherited();
      log().info("starting haproxy", { config: configPath, origin });
      return startMaster({ ...options, haproxy: program() });
    },
    untilReady: (master: Master) => untilReady(dir, master),
  };
}
