import { readAll } from "../etcd/read.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { buildModel, type Model } from "../registry/model.ts";
import type { Bind } from "../util/flag_kinds.ts";
import type { RenderOptions } from "../config/options.ts";
import { prefixesOf } from "../etcd/open.ts";
import { answerTo, withEtcd } from "./connect.ts";
import { networksOf } from "../node/listen.ts";

/** Settings of the commands that read the registry once. */
export interface ReadSettings {
  readonly etcd: EtcdSettings;
  readonly render: RenderOptions;
  readonly adminBind: Bind;
}

/**
 * Reads the registry once, and builds the model that a node with these settings would build.
 *
 * @throws {ControllerError} when etcd cannot be read
 */
export async function readModel({ etcd, render, adminBind }: ReadSettings): Promise<Model> {
  const prefixes = prefixesOf(etcd);
  const watched = [prefixes.services, prefixes.overrides];
  const { revision, entries } = await withEtcd(
    etcd,
    ({ kv }) => answerTo(readAll(kv, watched), "read the registry"),
  );
  const networks = networksOf(render, adminBind);
  return buildModel({ revision, entries: [...entries.values()] }, prefixes, { networks });
}
