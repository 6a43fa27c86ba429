import { judgeBackends, sectionsOf } from "../config/section.ts";
import { joinConfig } from "../config/text.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { escapeText } from "../util/escape.ts";
import { checkConfig, haproxyVersion } from "../haproxy/check.ts";
import { countServers, EMPTY_MODEL } from "../registry/model.ts";
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
  const { render, etcd } = settings;
  const lines: string[] = [];
  let code = 0;
  const step = async <T>(what: string, find: (tell: Tell) => T | Promise<T>): Promise<T | undefined> => {
    const texts: string[] = [];
    const add = (result: string) => lines.push(...columns(`${result.padEnd(6)}  ${what.padEnd(9)} `, texts));
    try {
      const found = await find((text) => texts.push(text));
      add("ok");
      return found;
    } catch (error) {
      if (error instanceof ControllerError && error.kind === "usage") throw error;
      texts.splice(0, Infinity, messageOf(error));
      add("FAILED");
      code = 1;
    }
  };
  await step("options", (tell) => tell("valid"));
  const haproxy = await step("haproxy", async (tell) => {
    const haproxy = findHaproxy(render.haproxy, Deno.env.get("PATH") ?? "");
    tell(`${haproxy} ${await haproxyVersion(haproxy)}`);
    return haproxy;
  });
  const model = await step("etcd", async (tell) => {
    const model = await readModel(settings);
    const { services, rejections, revision } = model;
    const counts = [
      `${services.length} services`,
      `${countServers(model)} servers`,
      `${rejections.length} rejections`,
    ];
    tell(`${etcd.endpoints.join(", ")} at revision ${revision}: ${counts.join(", ")}`);
    return model;
  });
  await step("template", async (tell) => {
    const template = await templateSource(render.template)();
    const text = joinConfig(renderConfig(model ?? EMPTY_MODEL, template, renderSettings(render)));
    if (haproxy !== undefined) await checkText(haproxy, text);
    [render.template ?? "embedded", ...backendLines(text)].forEach(tell);
  });
  lines.forEach((line) => console.log(line));
  return code;
}

/** The head is printed before the first text, and blanks before the others. */
function columns(head: string, texts: readonly string[]): string[] {
  return texts.map((text, at) => `${at === 0 ? head : " ".repeat(head.length)}${escapeText(text, 2_000)}`);
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
