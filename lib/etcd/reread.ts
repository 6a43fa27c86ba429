import { followEtcd } from "./follow.ts";
import { type Source, type SourceOptions, withSync } from "./mirror.ts";
import { readAll } from "./read.ts";

/**
 * Reads everything again for each snapshot; the watch only says that there is something to read. It is the pattern of
 * the first version of this project, kept for teaching and for comparison: it costs etcd nodes x keys x changes.
 */
export function createReread(given: SourceOptions): Source {
  const { options, isSynced } = withSync(given);
  let wasRead = false;
  const onChange = () => {
    wasRead = true;
    options.onChange();
  };
  return {
    isSynced,
    snapshot: async () => {
      if (!wasRead) return undefined;
      const { revision, entries } = await readAll(options.client.kv, options.prefixes);
      return { revision, entries: [...entries.values()] };
    },
    run: (signal) => followEtcd({ ...options, onChange, onResumed: onChange, signal }),
  };
}
