import { joinConfig } from "../config/text.ts";
import { escapeText } from "../util/escape.ts";
import { renderConfig } from "../config/render.ts";
import { readModel, type ReadSettings } from "./registry.ts";
import { renderSettings, templateSource } from "../node/rendering.ts";

/** `etcd-haproxy render`: prints the configuration for the current registry, and rejections to standard error. */
export async function render(settings: ReadSettings): Promise<void> {
  const template = await templateSource(settings.render.template)();
  const model = await readModel(settings);
  for (const { key, reason } of model.rejections) {
    console.error(`rejected ${escapeText(key)}: ${escapeText(reason)}`);
  }
  console.log(joinConfig(renderConfig(model, template, renderSettings(settings.render))).replace(/\n$/, ""));
}
