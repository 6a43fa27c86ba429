import { configure, type LogRecord, reset } from "@logtape/logtape";

/** A line of the log, before it is written. */
export interface LogLine {
  readonly level: LogRecord["level"];
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** What is logged while `run` works, on every level. */
export async function capturedLog(run: () => void): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  await configure({
    reset: true,
    sinks: {
      lines: ({ level, message, properties }) =>
        lines.push({ level, message: message.join(""), fields: { ...properties } }),
    },
    loggers: [
      { category: ["etcd-haproxy"], sinks: ["lines"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "warning" },
    ],
  });
  try {
    run();
  } finally {
    await reset();
  }
  return lines;
}
