import { readRenderOptions, RENDER_OPTIONS } from "../../lib/config/options.ts";
import { ETCD_OPTIONS, readEtcdOptions } from "../../lib/etcd/options.ts";
import type { NodeSettings } from "../../lib/node/node.ts";
import {
  ADMIN_OPTIONS,
  APPLY_OPTIONS,
  readAdminBind,
  readRunOptions,
  RUN_OPTIONS,
} from "../../lib/node/options.ts";
import { fromEnvironment, type RawOptions } from "../../lib/util/options.ts";

const SPECS = [...ETCD_OPTIONS, ...RENDER_OPTIONS, ...ADMIN_OPTIONS, ...APPLY_OPTIONS, ...RUN_OPTIONS];

/** What `run` makes of these flags, with its defaults for all others and nothing from the environment. */
export function nodeSettings(flags: Readonly<Record<string, string | boolean>>): NodeSettings {
  const defaults = SPECS.map((spec) => [spec.flag, fromEnvironment(spec, () => undefined)]);
  const raw: RawOptions = { ...Object.fromEntries(defaults), ...flags };
  return {
    etcd: readEtcdOptions(raw),
    render: readRenderOptions(raw),
    run: readRunOptions(raw),
    adminBind: readAdminBind(raw),
  };
}
