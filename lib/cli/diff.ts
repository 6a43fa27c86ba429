import { escapeText } from "../util/escape.ts";
import { readText } from "../haproxy/config_file.ts";
import { showProcesses } from "../haproxy/master_cli.ts";
import { observe, observeBackends } from "../haproxy/runtime.ts";
import { type StateDir, stateDirAt } from "../haproxy/state/dir.ts";
import { createStateFiles } from "../haproxy/state/files.ts";
import { messageOf } from "../util/errors.ts";
import { INITIAL_GUARD } from "../guard/guard.ts";
import { applyGuard } from "../guard/apply_guard.ts";
import { findServer, type Model, serverKey } from "../registry/model.ts";
import type { Observed } from "../plan/observed.ts";
import { baseDigest, splitConfig } from "../config/text.ts";
import { chooseDesired } from "../reconcile/desired.ts";
import { describePlan, plan } from "../plan/plan.ts";
import { renderConfig } from "../config/render.ts";
import { guardPort } from "../node/guard.ts";
import type { RunOptions } from "../node/options.ts";
import { networksOf } from "../node/listen.ts";
import { readModel, type ReadSettings } from "./registry.ts";
import { renderSettings, templateSource } from "../node/rendering.ts";

/**
 * `etcd-haproxy diff`: prints what `run` would change, and changes nothing. Returns the exit code: 0, or 1 with
 * `exitCode` when there is something to change.
 */
export async function diff(
  settings: ReadSettings & Pick<RunOptions, "apply" | "guard"> & { readonly exitCode: boolean },
): Promise<number> {
  const template = await templateSource(settings.render.template)();
  const render = (model: Model) => renderConfig(model, template, renderSettings(settings.render));
  const dir = stateDirAt(settings.render.stateDir);
  const observed = await observeNode(dir);
  const file = await readText(settings.render.config);
  const registry = await readModel(settings);
  const basis = { state: INITIAL_GUARD, refusals: new Map(), running: observed, file };
  const { model, guard: { held } } = await applyGuard(registry, basis, {
    networks: networksOf(settings.render, settings.adminBind),
    haproxy: {
      observeBackends: (backends) => observeBackends(dir, backends),
      readLastGood: () => readText(dir.lastGood),
    },
    guard: guardPort(settings.guard, { dir, files: createStateFiles() }),
    now: () => performance.now(),
  });
  const goodBase = runningBase(observed, [file, await readText(dir.lastGood)]);
  const desired = chooseDesired(render(model), { goodBase, refusedBase: undefined }, 0).config;
  const todo = plan({
    desired,
    observed,
    file,
    revisionOf: (service, id) => findServer(model, service, id)?.revision,
    mode: settings.apply,
  });
  console.log(`revision ${model.revision}: ${todo.kind}`);
  describePlan(todo).forEach((step) => console.log(`  ${escapeText(step, 1_000)}`));
  for (const { server, since, until } of held) {
    const seconds = Math.round((until - since) / 1_000);
    console.log(`  held ${serverKey(server)}: it vanished, and is kept for ${seconds} s at most`);
  }
  for (const { key, reason } of model.rejections) {
    console.log(`  rejected ${escapeText(key)}: ${escapeText(reason)}`);
  }
  return settings.exitCode && todo.kind !== "nothing" ? 1 : 0;
}

/** The base that HAProxy runs: that of the text it was started from. */
function runningBase(observed: Observed, texts: readonly (string | undefined)[]): string | undefined {
  const bases = texts.flatMap((text) => text === undefined ? [] : [splitConfig(text).base]);
  return bases.find((base) => observed.kind === "up" && baseDigest(base) === observed.base);
}

async function observeNode(dir: StateDir): Promise<Observed> {
  try {
    await showProcesses(dir.masterSocket);
  } catch (error) {
    return { kind: "down", reason: messageOf(error) };
  }
  return observe(dir);
}
