import type { LocalProcess } from "../local/process.ts";

/** A process of the stack that ended, or failed to do what it was started for. */
export class ProcessFailure extends Error {
  override readonly name = "ProcessFailure";

  constructor(readonly process: LocalProcess, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Runs `work`, and says that it is this process which failed when it throws. */
export async function blaming<T>(process: LocalProcess, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ProcessFailure || !(cause instanceof Error)) throw cause;
    throw new ProcessFailure(process, cause.message, { cause });
  }
}
