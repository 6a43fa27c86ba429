import { comparable } from "../../config/server_line.ts";
import { type Step, stepKey } from "../../plan/step.ts";

/**
 * The command line that makes one step. `isUnready`: the server's probe has not passed yet, so it gets no request until its
 * checks pass or it is brought up. All commands of a step are on one line, so that no request comes between them.
 *
 * Several sequences were tried under load; only the one with weight 0 around it leaked no request. Leaving maintenance
 * always sets a server's health to up, so `health down` must come after it. Weight 0 covers the moment between them.
 */
export function commandLine(step: Exclude<Step, { kind: "remove" | "replace" }>, isUnready: boolean): string {
  const server = stepKey(step);
  switch (step.kind) {
    case "add":
      return addLine(server, step.line, isUnready);
    case "address": {
      const move = `set server ${server} addr ${step.address.host} port ${step.address.port}`;
      if (isUnready) return `set server ${server} health down; ${move}`;
      // Its old address may have been down, and the new one was not checked yet.
      return `${move}; set server ${server} health up`;
    }
    case "weight":
      return `set server ${server} weight ${step.weight}`;
    case "maint":
      return `set server ${server} state maint`;
    case "ready":
      return isUnready
        ? covered(server, comparable(step.line).weight, `set server ${server} state ready`)
        : `set server ${server} state ready`;
  }
}

/** Adds a server. HAProxy adds it in maintenance and with its check off (management manual, "add server"). */
export function addLine(server: string, line: { readonly params: string }, isUnready: boolean): string {
  const { isChecked, maint, weight } = comparable({ name: server, params: line.params });
  const add = `add server ${server} ${line.params}`;
  const check = isChecked ? [`enable health ${server}`] : [];
  if (maint) return [add, ...check].join("; ");
  if (!isUnready) return [add, ...check, `enable server ${server}`].join("; ");
  return `${add}; ${covered(server, weight, [...check, `enable server ${server}`].join("; "))}`;
}

function covered(server: string, weight: number, commands: string): string {
  return `set server ${server} weight 0; ${commands}; set server ${server} health down; set server ${server} weight ${weight}`;
}

/** No new requests; running ones finish. */
export function drainLine(server: string): string {
  return `set server ${server} state drain`;
}

/** Deletes a server without requests; HAProxy refuses while it has connections. */
export function deleteLine(server: string): string {
  return `set server ${server} state maint; del server ${server}`;
}

/** Brings up an unready server. */
export function healthUpLine(server: string): string {
  return `set server ${server} health up`;
}

/** The errors in a reply: lines with a severity of 3 or less, when numbers are switched on (management manual, 9.3). */
export function errorsIn(reply: string): string[] {
  const lines = reply.split("\n").map((line) => line.replace(/^(> )+/, ""));
  return lines.filter((line) => /^\[[0-3]\]:/.test(line)).map((line) => line.replace(/^\[\d\]:\s*/, ""));
}
