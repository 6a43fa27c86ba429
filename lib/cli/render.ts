import { joinConfig } from "../config_text.ts";
import { escapeText } from "../escape.ts";
import { buildModel } from "../model.ts";
import type { EtcdSettings, RenderOptions } from "../options.ts";
import { renderConfig } from "../render.ts";
import { prefixesOf } from "./etcd.ts";
import { readRegistry } from "./registry.ts";
import { renderSettings } from "./settings.ts";
import { templateSource } from "./template.ts";

/** `etcd-haproxy render`: prints the configuration for the registry as it is now; rejections go to standard error. */
export async function render(settings: { etcd: EtcdSettings; render: RenderOptions }): Promise<void> {
  const template = await templateSource(settings.render.template)();
  const model = buildModel(await readRegistry(settings.etcd), prefixesOf(settings.etcd));
  for (const { key, reason } of model.rejections) {
    console.error(`rejected ${escapeText(key)}: ${escapeText(reason)}`);
  }
  await printText(joinConfig(renderConfig(model, template, renderSettings(settings.render))));
}

async function printText(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text.endsWith("\n") ? text : `${text}\n`);
  for (let written = 0; written < bytes.length;) written += await Deno.stdout.write(bytes.subarray(written));
}
