/** What the tests need to run real processes and real traffic. */
import { prepareProcess } from "../../lib/etcd/process.ts";

export { EtcdCluster, type EtcdClusterOptions, startEtcdCluster } from "../../tools/local/etcd_cluster.ts";
export type { EtcdMember } from "../../tools/local/etcd_member.ts";
export { Load, type LoadOptions, type LoadTarget, type SightingOptions } from "../../tools/local/load.ts";
export { Chapter, type Failure, LoadCounts, type Sighting } from "../../tools/local/load_counts.ts";
export { isPortFree, pickPort, pickPorts } from "../../tools/local/ports.ts";
export { LocalProcess, type ProcessOptions, startProcess } from "../../tools/local/process.ts";
export { findProgram, requireProgram } from "../../tools/local/programs.ts";
export { type TempDir, tempDir } from "../../tools/local/temp_dir.ts";
export { pause, waitFor, type WaitOptions } from "../../tools/local/wait.ts";
export { Origin, type OriginBehaviour, startOrigin } from "./origin.ts";

// Tests are programs of their own, and many have a client of etcd.
prepareProcess();
