import { listenForStop } from "../lib/cli/signals.ts";
import { prepareProcess } from "../lib/etcd/process.ts";
import { ControllerError } from "../lib/util/errors.ts";
import { configureLog, flushLog, log } from "../lib/util/log.ts";
import { parseBackendOptions } from "./options.ts";
import { runService } from "./service.ts";

/** Runs the service and returns its exit code: 0 when it stopped as asked, 2 for a wrong environment, 1 for any other error. */
async function main(): Promise<number> {
  prepareProcess();
  await configureLog({ format: "text", level: "info" });
  try {
    await runService(parseBackendOptions(Deno.env.toObject(), Deno.hostname()), listenForStop());
    return 0;
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error;
    log().error("cannot run", { reason: error.message });
    return error.kind === "usage" ? 2 : 1;
  } finally {
    await flushLog();
  }
}

if (import.meta.main) Deno.exit(await main());
