import { joinConfig } from "../config/text.ts";
import { messageOf } from "../util/errors.ts";
import { prepareBoot } from "../haproxy/boot.ts";
import { haproxyVersion } from "../haproxy/check.ts";
import { type AdoptionWait, adoptMaster, type Master, startMaster } from "../haproxy/master.ts";
import { untilReady } from "../haproxy/ready.ts";
import type { StateDir } from "../haproxy/state/dir.ts";
import type { StateFiles } from "../haproxy/state/files.ts";
import { log } from "../util/log.ts";
import { EMPTY_MODEL } from "../registry/model.ts";
import { renderConfig } from "../config/render.ts";
import { logHaproxyLine } from "../haproxy/log.ts";
import type { NodeRecorder } from "./recorder.ts";
import type { renderSettings } from "./settings.ts";
import { templateSource } from "./template.ts";

/** The empty configuration; a template that fails must not keep HAProxy from starting. */
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

/** What the supervisor, or the attachment in its place, needs to start, adopt and judge a master. */
export function masterPorts({ haproxy, dir, files, configPath, builtIn, recorder }: {
  /** The program, looked up when it is used: it may be replaced while the node runs. */
  haproxy: () => string;
  dir: StateDir;
  files: StateFiles;
  configPath: string;
  builtIn: () => Promise<string>;
  recorder: NodeRecorder;
}) {
  const options = {
    configPath,
    masterSocket: dir.masterSocket,
    runtimeSocket: dir.runtimeSocket,
    startedWith: dir.startedWith,
    output: dir.output,
    files,
    onLine: (line: string) => {
      logHaproxyLine(line);
      recorder.onHaproxyLine(line);
    },
    onUnheard: (reason: string) => {
      recorder.onHearing(false);
      log().warn("what haproxy says is not logged", { reason });
    },
  };
  const noteInherited = async () => {
    const verifiedAt = await modifiedAt(dir.lastGood);
    if (verifiedAt !== undefined) recorder.onInherited(verifiedAt);
  };
  const prepare = async () => {
    const program = haproxy();
    recorder.onHaproxyVersion(await haproxyVersion(program));
    const config = { configPath, files, builtIn: await builtIn() };
    const boot = await prepareBoot({ ...dirPaths(dir), ...config, haproxy: program });
    boot.skipped.forEach((reason) => log().error("configuration not valid, passed over", { reason }));
    return boot.origin;
  };
  return {
    prepare,
    noteInherited,
    adopt: async (wait: AdoptionWait) => {
      recorder.onHearing(true);
      const master = await adoptMaster(options, wait);
      if (master !== undefined) await noteInherited();
      return master;
    },
    start: async () => {
      recorder.onHearing(true);
      const origin = await prepare();
      if (origin !== "built-in") await noteInherited();
      log().info("starting haproxy", { config: configPath, origin });
      return startMaster({ ...options, haproxy: haproxy() });
    },
    untilReady: (master: Master) => untilReady(dir, master),
  };
}

function dirPaths({ lastGood, stateFile }: StateDir) {
  return { lastGoodPath: lastGood, stateFile };
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).mtime?.getTime();
  } catch {
    return undefined;
  }
}
