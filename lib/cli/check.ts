import { judgeBackends, sectionsOf } from "../config/section.ts";
import { joinConfig } from "../config/text.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { escapeText } from "../util/escape.ts";
import { checkConfig, haproxyVersion } from "../haproxy/check.ts";
import { countServers, EMPTY_MODEL, type Model } from "../registry/model.ts";
import type { RenderOptions } from "../config/options.ts";
import { renderConfig } from "../config/render.ts";
import { findHaproxy } from "../haproxy/binary.ts";
import { readModel, type ReadSettings } from "./registry.ts";
import { renderSettings } from "../node/settings.ts";
import { templateSource } from "../node/template.ts";

/** What was found of one thing, on one line or more. */
type Finding = { readonly ok: boolean; readonly what: string; readonly texts: readonly string[] };

/**
 * `etcd-haproxy check`: tells whether options, haproxy, etcd and template are in order, a line each, and which backends
 * of the template can follow without a reload. Returns the exit code, 0 or 1.
 */
export async function check(settings: ReadSettings): Promise<number> {
  const findings: Finding[] = [{ ok: true, what: "options", texts: ["valid"] }];
  const haproxy = await tryStep(findings, "haproxy", () => checkHaproxy(settings.render.haproxy));
  const model = await tryStep(findings, "etcd", () => checkEtcd(settings));
  await tryStep(findings, "template", () => checkTemplate(settings.render, model, haproxy));
  findings.flatMap(linesOf).forEach((line) => console.log(line));
  return findings.every(({ ok }) => ok) ? 0 : 1;
}

function linesOf({ ok, what, texts }: Finding): string[] {
  const start = `${ok ? "ok    " : "FAILED"}  ${what.padEnd(9)} `;
  return texts.map((text, at) => `${at === 0 ? start : " ".repeat(start.length)}${escapeText(text, 2_000)}`);
}

async function tryStep<T>(
  findings: Finding[],
  what: string,
  step: () => Promise<{ texts: readonly string[]; value: T }>,
): Promise<T | undefined> {
  try {
    const { texts, value } = await step();
    findings.push({ ok: true, what, texts });
    return value;
  } catch (error) {
    if (error instanceof ControllerError && error.kind === "usage") throw error;
    findings.push({ ok: false, what, texts: messageOf(error).split("\n") });
    return undefined;
  }
}

async function checkHaproxy(name: string) {
  const haproxy = findHaproxy(name, Deno.env.get("PATH") ?? "");
  return { value: haproxy, texts: [`${haproxy} ${await haproxyVersion(haproxy)}`] };
}

async function checkEtcd(settings: ReadSettings) {
  const model = await readModel(settings);
  const counts = `${model.services.length} services, ${
    countServers(model)
  } servers, ${model.rejections.length} rejections`;
  return {
    value: model,
    texts: [`${settings.etcd.endpoints.join(", ")} at revision ${model.revision}: ${counts}`],
  };
}

async function checkTemplate(options: RenderOptions, model: Model | undefined, haproxy: string | undefined) {
  const template = await templateSource(options.template)();
  const text = joinConfig(renderConfig(model ?? EMPTY_MODEL, template, renderSettings(options)));
  if (haproxy !== undefined) await checkText(haproxy, text);
  return {
    value: undefined,
    texts: [options.template ?? "embedded", ...backendLines(text)],
  };
}

async function checkText(haproxy: string, text: string): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "etcd-haproxy-check-" });
  try {
    await Deno.writeTextFile(path, text);
    const result = await checkConfig(haproxy, path);
    if (result.kind === "refused") {
      throw new Error(result.alerts.map(({ message }) => message).join("; "));
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
