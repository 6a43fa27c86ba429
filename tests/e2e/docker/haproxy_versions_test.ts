// The integration tests of what touches HAProxy, once more against the versions that are claimed and not on this machine.
import { assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { docker, missingEngine } from "./docker.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const VERSIONS = ["3.2"];
const TESTS = [
  ...["crash", "crash_auto", "crash_reload", "follow", "journal"],
  ...["runtime", "runtime_model", "runtime_traffic", "template"],
].map((name) => `tests/integration/${name}_test.ts`);
const BUILD_MS = 5 * 60_000;
const RUN_MS = 10 * 60_000;

const missing = await missingEngine();

for (const version of VERSIONS) {
  const name = `docker: the integration tests pass on HAProxy ${version}`;
  const run = () => testOn(version);
  if (missing === undefined) Deno.test(name, run);
  else Deno.test.ignore(`${name} [skipped, ${missing}]`, run);
}

async function testOn(version: string): Promise<void> {
  const image = `etcd-haproxy-tests:${version}`;
  const file = "tests/e2e/docker/haproxy.Dockerfile";
  await docker(["build", "--build-arg", `HAPROXY_VERSION=${version}`, "--file", file, "--tag", image, "."], {
    deadlineMs: BUILD_MS,
  });
  assertMatch(
    await inImage(image, ["haproxy", "-v"]),
    new RegExp(`HAProxy version ${version.replace(".", "\\.")}`),
  );
  const output = await inImage(image, [
    "deno",
    "test",
    "-A",
    "--parallel",
    "--no-check",
    "--cached-only",
    ...TESTS,
  ]);
  assertMatch(output, /^ok \| [1-9]\d* passed .*\| 0 failed/m);
}

/** Runs a command in a container of its own, which is gone afterwards; its traffic stays on the container's loopback. */
async function inImage(image: string, command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  const name = `etcd-haproxy-tests-${crypto.randomUUID().slice(0, 8)}`;
  const options = [
    "--rm",
    "--init",
    "--network",
    "none",
    "--name",
    name,
    "--volume",
    `${ROOT}:/src:ro`,
    "--env",
    "DENO_JOBS",
  ];
  try {
    return await docker(["run", ...options, "--entrypoint", program, image, ...args], { deadlineMs: RUN_MS });
  } catch (error) {
    // One that ran out of time is still there.
    await docker(["rm", "--force", name]).catch(() => {});
    throw error;
  }
}
