// The compiled programs in dist/, each run on its architecture: the machine's own directly, another one under qemu.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { deadline } from "@std/async/deadline";
import { findProgram, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { type Architecture, ARCHITECTURES } from "../../tools/compile/architecture.ts";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const MINUTE_MS = 60_000;

type Program = { readonly argv: readonly string[] } | { readonly missing: string };

function programFor(architecture: Architecture): Program {
  const binary = `${DIST}etcd-haproxy-${architecture}`;
  if (!exists(binary)) return { missing: `no ${binary}: "deno task compile" makes it` };
  if (architecture === Deno.build.arch) return { argv: [binary] };
  const qemu = findProgram(`qemu-${architecture}-static`);
  if (qemu === undefined) return { missing: `no qemu-${architecture}-static` };
  // Where Debian puts the libraries of its packages for cross compilation.
  const libraries = `/usr/${architecture}-linux-gnu`;
  if (!exists(`${libraries}/lib/libgcc_s.so.1`)) return { missing: `no libraries in ${libraries}` };
  return { argv: [qemu, "-L", libraries, binary] };
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function output([command = "", ...args]: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
    signal: AbortSignal.timeout(2 * MINUTE_MS),
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

for (const architecture of ARCHITECTURES) {
  const program = programFor(architecture);
  const name = `binary for ${architecture}: starts, reaches etcd and renders what it holds`;
  if ("missing" in program) Deno.test.ignore(`${name} [skipped, ${program.missing}]`, () => {});
  else {
    Deno.test(name, async () => {
      await using etcd = await startEtcdCluster({ members: 1 });
      await etcd.etcdctl("put", "/services/backend/one", "10.0.0.5:8080");
      const render = [...program.argv, "render", "--endpoints", etcd.endpoints.join()];
      // Emulated on a busy machine, a call can take longer than its time limit.
      const rendered = await waitFor("the rendered configuration", async () => {
        const { code, stdout, stderr } = await output(render);
        assertEquals([code, stderr], [0, ""]);
        return stdout;
      }, { deadlineMs: 5 * MINUTE_MS });
      assertStringIncludes(rendered, "server one 10.0.0.5:8080 ");
      const { stdout } = await output([...program.argv, "version"]);
      assertMatch(stdout, /^\d+\.\d+\.\d+\n$/);
    });
  }
}

const own = programFor(Deno.build.arch);
const title = "binary for this machine: serves what is registered, and ends with its HAProxy at SIGTERM";
if ("missing" in own) Deno.test.ignore(`${title} [skipped, ${own.missing}]`, () => {});
else {
  Deno.test(title, async () => {
    Deno.env.set("CONTROLLER", own.argv.join(" "));
    try {
      await using etcd = await startEtcdCluster({ members: 1 });
      await using origin = startOrigin("one");
      await using node = await testNode({ endpoints: etcd.endpoints });
      const controller = node.start();
      await etcd.put("/services/backend/one", origin.address);
      await node.untilAnswer("one");
      // Work enough for the runtime to collect what nothing refers to.
      for (let weight = 1; weight <= 30; weight++) {
        await etcd.put("/services/backend/one", JSON.stringify({ address: origin.address, weight }));
        await node.untilState(
          `weight ${weight}`,
          ({ services }) => services[0]?.servers[0]?.weight === weight,
        );
      }
      controller.kill("SIGTERM");
      const { code } = await deadline(controller.status, 20_000);
      assertEquals(code, 0);
    } finally {
      Deno.env.delete("CONTROLLER");
    }
  });
}
