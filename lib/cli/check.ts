import { judgeBackends, sectionsOf } from "../config_section.ts";
import { joinConfig } from "../config_text.ts";
import { ControllerError, messageOf } from "../errors.ts";
import { escapeText } from "../escape.ts";
import { checkConfig, haproxyVersion } from "../haproxy/check.ts";
import { countServers, EMPTY_MODEL, type Model } from "../model.ts";
import type { RenderOptions } from "../options.ts";
import { renderConfig } from "../render.ts";
import { findHaproxy } from "./programs.ts";
import { readModel, type ReadSettings } from "./registry.ts";
import { renderSettings } from "./settings.ts";
import { templateSource } from "./template.ts";

type Line = { readonly ok: boolean; readonly what: string; readonly text: string };

/**
 * `etcd-haproxy check`: tells whether options, haproxy, etcd and template are in order, a line each, and which backends
 * of the template can follow without a reload. Returns the exit code, 0 or 1.
 */
export async function check(settings: ReadSettings): Promise<number> {
  const lines: Line[] = [{ ok: true, what: "options", text: "valid" }];
  const haproxy = await tryStep(lines, "haproxy", () => checkHaproxy(settings.render.haproxy));
  const model = await tryStep(lines, "etcd", () => checkEtcd(settings));
  await tryStep(lines, "template", () => checkTemplate(settings.render, model, haproxy));
  lines.forEach(({ ok, what, text }) =>
    console.log(`${ok ? "ok    " : "FAILED"}  ${what.padEnd(9)} ${text}`)
  );
  return lines.every(({ ok }) => ok) ? 0 : 1;
}

async function tryStep<T>(
  lines: Line[],
  what: string,
  step: () => Promise<{ text: string; value: T }>,
): Promise<T | undefined> {
  try {
    const { text, value } = await step();
    lines.push({ ok: true, what, text });
    return value;
  } catch (error) {
    if (error instanceof ControllerError && error.kind === "usage") throw error;
    lines.push({ ok: false, what, text: messageOf(error) });
    return undefined;
  }
}

async function checkHaproxy(name: string) {
  const haproxy = findHaproxy(name);
  return { value: haproxy, text: `${haproxy} ${await haproxyVersion(haproxy)}` };
}

async function checkEtcd(settings: ReadSettings) {
  const model = await readModel(settings);
  const counts = `${model.services.length} services, ${
    countServers(model)
  } servers, ${model.rejections.length} rejections`;
  return {
    value: model,
    text: `${settings.etcd.endpoints.join(", ")} at revision ${model.revision}: ${counts}`,
  };
}

async function checkTemplate(options: RenderOptions, model: Model | undefined, haproxy: string | undefined) {
  const template = await templateSource(options.template)();
  const text = joinConfig(renderConfig(model ?? EMPTY_MODEL, template, renderSettings(options)));
  if (haproxy !== undefined) await checkText(haproxy, text);
  return {
    value: undefined,
    text: [options.template ?? "embedded", ...backendLines(text)].join("\n                  "),
  };
}

async function checkText(haproxy: string, text: string): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "etcd-haproxy-check-" });
  try {
    await Deno.writeTextFile(path, text);
    const result = await checkConfig(haproxy, path);
    if (result.kind === "refused") {
      throw new Error(result.alerts.map(({ message }) => escapeText(message)).join("; "));
    }
  } finally {
    await Deno.remove(path);
  }
}

function backendLines(text: string): string[] {
  return [...judgeBackends(sectionsOf(text))].map(([{ name }, plainness]) => {
    if (plainness.plain) return `backend ${name}: plain, servers follow one by one`;
    return `backend ${name}: changed by reloads only, for ${plainness.reason}`;
  });
}
