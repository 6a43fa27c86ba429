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
import { renderSettings, templateSource } from "../node/rendering.ts";

/** Adds a line about a step. */
type Tell = (text: string) => void;

/**
 * `etcd-haproxy check`: checks options, haproxy, etcd and template, and tells which backends of the template can change
 * without a reload. Returns the exit code, 0 or 1.
 */
export async function check(settings: ReadSettings): Promise<number> {
  const { step, print } = createReport();
  await step("options", (tell) => tell("valid"));
  const haproxy = await step("haproxy", (tell) => checkHaproxy(settings.render.haproxy, tell));
  const model = await step("etcd", (tell) => checkEtcd(settings, tell));
  await step("template", (tell) => checkTemplate(settings.render, { model, haproxy }, tell));
  return print();
}

/** Nothing is printed before all steps are done, because an error about usage must be the only output. */
function createReport() {
  const lines: string[] = [];
  let code = 0;
  const add = (result: "ok" | "FAILED", what: string, texts: readonly string[]) => {
    const head = `${result.padEnd(6)}  ${what.padEnd(9)} `;
    const blank = " ".repeat(head.length);
    texts.forEach((text, at) => lines.push((at === 0 ? head : blank) + escapeText(text, 2_000)));
  };
  return {
    step: async <T>(what: string, find: (tell: Tell) => T | Promise<T>): Promise<T | undefined> => {
      try {
        const texts: string[] = [];
        const found = await find((text) => texts.push(text));
        add("ok", what, texts);
        return found;
      } catch (error) {
        if (error instanceof ControllerError && error.kind === "usage") throw error;
        add("FAILED", what, [messageOf(error)]);
        code = 1;
      }
    },
    print: () => {
      lines.forEach((line) => console.log(line));
      return code;
    },
  };
}

async function checkHaproxy(name: string, tell: Tell): Promise<string> {
  const haproxy = findHaproxy(name, Deno.env.get("PATH") ?? "");
  tell(`${haproxy} ${await haproxyVersion(haproxy)}`);
  return haproxy;
}

async function checkEtcd(settings: ReadSettings, tell: Tell): Promise<Model> {
  const model = await readModel(settings);
  const { services, rejections, revision } = model;
  const counts = `${services.length} services, ${countServers(model)} servers`;
  const endpoints = settings.etcd.endpoints.join(", ");
  tell(`${endpoints} at revision ${revision}: ${counts}, ${rejections.length} rejections`);
  return model;
}

async function checkTemplate(
  options: RenderOptions,
  { model = EMPTY_MODEL, haproxy }: { model: Model | undefined; haproxy: string | undefined },
  tell: Tell,
): Promise<void> {
  const template = await templateSource(options.template)();
  const text = joinConfig(renderConfig(model, template, renderSettings(options)));
  if (haproxy !== undefined) await checkText(haproxy, text);
  [options.template ?? "embedded", ...backendLines(text)].forEach(tell);
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
    if (plainness.plain) return `backend ${name}: plain, servers change one by one`;
    return `backend ${name}: changed by reloads only: ${plainness.reason}`;
  });
}
