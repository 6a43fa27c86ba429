import { prepareProcess } from "../lib/etcd/process.ts";
import { ControllerError } from "../lib/util/errors.ts";
import { escapeText } from "../lib/util/escape.ts";
import { flushLog, log } from "./log.ts";
import { parseBackendOptions } from "./options.ts";
import { runService } from "./service.ts";
import { listenForStop } from "./signals.ts";

/** Runs the service and returns its exit code: 0 when it stopped as asked, 2 for a wrong environment, 1 for other trouble. */
async function main(): Promise<number> {
  prepareProcess();
  try {
    const options = parseBackendOptions(Deno.env.toObject(), Deno.hostname());
    await runService(options, listenForStop());
    return 0;
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error;
    log(escapeText(error.message, 2_000));
    return error.kind === "usage" ? 2 : 1;
  } finally {
    await flushLog();
  }
}

if (import.meta.main) Deno.exit(await main());
