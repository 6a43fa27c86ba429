import { type ProcessOptions, startProcess } from "./mod.ts";

/** Makes a pipe, fills it, and runs a command with it as standard error. Held open for reading, it is not a broken one. */
const WITH_FULL_PIPE =
  'mkfifo "$0"; exec 2<>"$0"; dd if=/dev/zero of="$0" bs=64K count=1 oflag=nonblock 2>/dev/null; exec "$@"';

/** Starts a process whose standard error is not read, and has no room for one more line. */
export function startUnread({ command, args, ...options }: ProcessOptions, { fifo }: { fifo: string }) {
  return startProcess({ ...options, command: "sh", args: ["-c", WITH_FULL_PIPE, fifo, command, ...args] });
}
