import { createAttachment, lookForMaster, refuseOwnMaster } from "../haproxy/attachment.ts";
import type { BootOrigin } from "../haproxy/boot.ts";
import { runningBase } from "../haproxy/runtime.ts";
import type { StateDir } from "../haproxy/state_dir.ts";
import type { Supervisor } from "../haproxy/supervisor.ts";
import type { HaproxyState } from "../ports.ts";

/** The places of a node: the master socket is another one when it is attached. */
export async function attachedDir(own: StateDir, socket: string | undefined): Promise<StateDir> {
  if (socket === undefined) return own;
  await refuseOwnMaster(own.masterSocket, socket);
  return { ...own, masterSocket: socket };
}

export interface AttachPorts {
  /** Makes the configuration file one that HAProxy takes. */
  prepare(): Promise<BootOrigin>;
  /** Tells that HAProxy serves what an earlier run verified. */
  noteInherited(): Promise<void>;
  onState(state: HaproxyState): void;
}

/** Attaches to the HAProxy of somebody else. The file that it reads must be there before it is. */
export async function attach(
  sockets: StateDir,
  ports: AttachPorts,
): Promise<Supervisor> {
  const origin = await ports.prepare();
  const { kind } = await lookForMaster(sockets.masterSocket);
  const runsAnother = kind === "there" && await runningBase(sockets) === undefined;
  if (origin !== "built-in" && !runsAnother) await ports.noteInherited();
  return createAttachment({ masterSocket: sockets.masterSocket, onState: ports.onState });
}
