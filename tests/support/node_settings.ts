import { nodeSettings as readNodeSettings } from "../../lib/cli/commands.ts";
import type { NodeSettings } from "../../lib/node/node.ts";

/** What `run` makes of these flags, with its defaults for all others and nothing from the environment. */
export function nodeSettings(flags: Readonly<Record<string, string | boolean>>): NodeSettings {
  return readNodeSettings({ flags, env: {} });
}
