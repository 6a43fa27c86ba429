import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { findProgram, tempDir } from "../support/mod.ts";

const UNITS = fileURLToPath(new URL("../../packaging/systemd/", import.meta.url));
/** What the drop-in for HAProxy is laid over, in short. */
const HAPROXY_UNIT = "[Service]\nType=notify\nExecStart=/bin/true\nExecReload=/bin/true\nRestart=always\n";
/** What `systemd-analyze security` calls the exposure of a unit, in tenths; above 4.0 it is not OK. */
const MOST_EXPOSED = 25;

const analyze = findProgram("systemd-analyze");

async function run(...args: string[]): Promise<[boolean, string]> {
  const { success, stdout, stderr } = await new Deno.Command(analyze ?? "", {
    args,
    env: { LC_ALL: "C", SYSTEMD_COLORS: "0" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return [success, success ? decoder.decode(stderr) : decoder.decode(stdout) + decoder.decode(stderr)];
}

/** The unit as it would be on a machine, except for the program, which need not be installed. */
async function installUnit(dir: string): Promise<string> {
  const unit = await Deno.readTextFile(`${UNITS}etcd-haproxy.service`);
  const path = `${dir}/etcd-haproxy.service`;
  await Deno.writeTextFile(path, unit.replaceAll("/usr/local/bin/etcd-haproxy", Deno.execPath()));
  return path;
}

async function addDropIn(dir: string, service: string): Promise<void> {
  await Deno.mkdir(`${dir}/${service}.d`);
  await Deno.copyFile(`${UNITS}attach/${service}.conf`, `${dir}/${service}.d/attach.conf`);
}

function unitTest(name: string, fn: (dir: string) => Promise<void>): void {
  if (analyze === undefined) {
    return Deno.test.ignore(`systemd: ${name} [skipped, no systemd-analyze]`, () => {});
  }
  Deno.test(`systemd: ${name}`, async () => {
    await using dir = await tempDir();
    await fn(dir.path);
  });
}

unitTest("the unit is valid, and what it may do is little", async (dir) => {
  const unit = await installUnit(dir);
  assertEquals(await run("verify", "--man=no", unit), [true, ""]);
  assertEquals(await run("security", "--offline=yes", `--threshold=${MOST_EXPOSED}`, unit), [true, ""]);
});

unitTest("both units are valid with what attaching adds", async (dir) => {
  const unit = await installUnit(dir);
  const haproxy = `${dir}/haproxy.service`;
  await Deno.writeTextFile(haproxy, HAPROXY_UNIT);
  for (const service of ["etcd-haproxy.service", "haproxy.service"]) await addDropIn(dir, service);
  assertEquals(await run("verify", "--man=no", unit, haproxy), [true, ""]);
});
