import { ControllerError, messageOf } from "../util/errors.ts";
import { compileTemplate, type Template } from "../config/render.ts";

const EMBEDDED = new URL("../../templates/haproxy.cfg.eta", import.meta.url);

/** Returns the current template. A file is read each time, and compiled again when it changed. */
export type TemplateSource = () => Promise<Template>;

/**
 * The template of `--template`, or the embedded one.
 *
 * The returned function throws a ControllerError (operator) when the file cannot be read or has a syntax error.
 */
export function templateSource(path: string | undefined): TemplateSource {
  let compiled: { text: string; template: Template } | undefined;
  return async () => {
    if (path === undefined && compiled !== undefined) return compiled.template;
    const text = await readTemplate(path ?? EMBEDDED);
    if (compiled?.text !== text) compiled = { text, template: compileTemplate(text) };
    return compiled.template;
  };
}

async function readTemplate(path: string | URL): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new ControllerError("operator", `Cannot read template ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
