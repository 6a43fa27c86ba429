// The controller, killed by SIGKILL at one step of a pass: `KILL_AT` names it, `KILL_AFTER` says how many passes through
// that step are survived. It takes the same command line as main.ts.
import type { WrapHaproxy } from "../../lib/node/node.ts";
import { runProgram } from "../../lib/cli/program.ts";

let survive = Number(Deno.env.get("KILL_AFTER") ?? "0");

function reach(step: string): void {
  if (Deno.env.get("KILL_AT") !== step || survive-- > 0) return;
  Deno.kill(Deno.pid, "SIGKILL");
  // The signal takes effect at once; nothing more of this pass may happen until it does.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const wrap: WrapHaproxy = (haproxy) => ({
  ...haproxy,
  stageConfig: async (text) => {
    const staged = await haproxy.stageConfig(text);
    reach("staged");
    const commit = async () => {
      await staged.commit();
      reach("committed");
    };
    return { ...staged, commit };
  },
  processes: async () => {
    const processes = await haproxy.processes();
    reach("looked");
    return processes;
  },
  check: async (path) => {
    const result = await haproxy.check(path);
    reach("checked");
    return result;
  },
  writeServerState: async (text) => {
    await haproxy.writeServerState(text);
    reach(text === undefined ? "state-removed" : "state-written");
  },
  change: async (steps, held) => {
    reach("before-change");
    const result = await haproxy.change(steps, held);
    reach("changed");
    return result;
  },
  reload: async () => {
    reach("before-reload");
    const result = await haproxy.reload();
    reach("reloaded");
    return result;
  },
  keepLastGood: async (text) => {
    reach("verified");
    await haproxy.keepLastGood(text);
    reach("kept");
  },
});

Deno.exit(await runProgram(Deno.args, wrap));
