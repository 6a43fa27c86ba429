/** Test files that one process runs, one after another. */
export interface Job {
  /** How it is called in what is shown. */
  readonly name: string;
  readonly files: readonly string[];
}

/** Tests that only compute: a process for each would take longer to start than to run. */
const TOGETHER = /^(?:\.\/)?tests\/unit\//;

/** The jobs that take longest, the longest first: the run would have to wait for one that begins late. */
const LONGEST: readonly string[] = [
  "many_entries_test.ts",
  "etcd_down_test.ts",
  "etcd_member_test.ts",
  "scale_down_test.ts",
  "secrets_test.ts",
  "runtime_traffic_test.ts",
  "node_keys_workers_test.ts",
  "crash_reload_test.ts",
];

/** Puts files into jobs: each that starts processes alone, all others in `batches` jobs. The longest come first. */
export function planJobs(files: readonly string[], { batches }: { batches: number }): Job[] {
  const sorted = [...files].sort();
  const alone = sorted.filter((file) => !TOGETHER.test(file));
  const together = sorted.filter((file) => TOGETHER.test(file));
  const parts = Array.from(
    { length: batches },
    (_, part) => together.filter((_, at) => at % batches === part),
  );
  return [
    ...alone.toSorted((one, other) => rank(one) - rank(other)).map((file) => ({ name: file, files: [file] })),
    ...parts.filter((part) => part.length > 0).map((part) => ({ name: nameOf(part), files: part })),
  ];
}

function rank(file: string): number {
  const at = LONGEST.findIndex((name) => file.endsWith(`/${name}`));
  return at < 0 ? LONGEST.length : at;
}

function nameOf([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}
