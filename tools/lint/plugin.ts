import { dirname, join } from "node:path";
import { importProblem, isPure, moduleOf } from "./layers.ts";

/** Rules of this project that two people could otherwise argue about in review. */
const plugin: Deno.lint.Plugin = {
  name: "etcd-haproxy",
  rules: {
    /** Imports go down the list of folders, never up. */
    "layers": {
      create: (context) => {
        const check = (node: Deno.lint.Node, specifier: string | undefined) => {
          const message = problemOf(context.filename, specifier);
          if (message !== undefined) context.report({ node, message });
        };
        return {
          ImportDeclaration: (node) => check(node, node.source.value),
          ExportNamedDeclaration: (node) => check(node, node.source?.value),
          ExportAllDeclaration: (node) => check(node, node.source.value),
        };
      },
    },
    /** What a process has only once is for the commands to touch: many nodes can run in one process. */
    "process": {
      create: (context) => {
        const module = moduleOf(context.filename);
        if (module === undefined || module.startsWith("cli/") || PREPARING.has(module)) return {};
        const report = (node: Deno.lint.Node, what: string) =>
          context.report({
            node,
            message: `${what} is the whole process's, which is for lib/cli to touch: take it as an argument`,
          });
        const check = (node: Deno.lint.Node, specifier: string | undefined) => {
          const target = targetOf(context.filename, specifier);
          if (target !== undefined && PREPARING.has(target)) report(node, `What lib/${target}.ts changes`);
        };
        return {
          'MemberExpression[object.name="Deno"]': (node: Deno.lint.MemberExpression) => {
            const name = nameOf(node.property);
            if (name !== undefined && OF_THE_PROCESS.has(name)) report(node, `Deno.${name}`);
          },
          'CallExpression[callee.name="configureLog"]': (node: Deno.lint.Node) =>
            report(node, "configureLog"),
          ImportDeclaration: (node) => {
            if (node.source.value === "node:process") report(node, "node:process");
            check(node, node.source.value);
          },
          ImportExpression: (node) => {
            if (node.source.type === "Literal") check(node, String(node.source.value));
          },
          ExportNamedDeclaration: (node) => check(node, node.source?.value),
          ExportAllDeclaration: (node) => check(node, node.source.value),
        };
      },
    },
    /** Pure files have no ambient effects: no clock, no file, no socket, no log, no chance. */
    "pure": {
      create: (context) => {
        if (!isPure(moduleOf(context.filename) ?? "")) return {};
        const report = (node: Deno.lint.Node, what: string) =>
          context.report({
            node,
            message: `${what} is an effect, and this file is pure: take it as an argument or a port`,
          });
        return {
          'MemberExpression[object.name="Deno"]': (node: Deno.lint.Node) => report(node, "Deno"),
          'MemberExpression[object.name="console"]': (node: Deno.lint.Node) => report(node, "console"),
          'MemberExpression[object.name="performance"]': (node: Deno.lint.Node) =>
            report(node, "performance"),
          'MemberExpression[object.name="crypto"]': (node: Deno.lint.Node) => report(node, "crypto"),
          'MemberExpression[object.name="Date"][property.name="now"]': (node: Deno.lint.Node) =>
            report(node, "Date.now"),
          'MemberExpression[object.name="Math"][property.name="random"]': (node: Deno.lint.Node) =>
            report(node, "Math.random"),
          CallExpression: (node) => {
            const { callee } = node;
            if (callee.type === "Identifier" && EFFECTS.has(callee.name)) report(node, callee.name);
          },
          NewExpression: (node) => {
            const { callee } = node;
            if (callee.type === "Identifier" && callee.name === "Date" && node.arguments.length === 0) {
              report(node, "new Date()");
            }
          },
          ImportDeclaration: (node) => {
            const { specifiers } = node;
            if (node.importKind === "type" || specifiers.length > 0 && specifiers.every(isTypeOnly)) return;
            const { value } = node.source;
            const target = targetOf(context.filename, value);
            if (target !== undefined && !isPure(target)) report(node, `What lib/${target}.ts does`);
            if (value.startsWith("node:") && !PURE_OF_NODE.has(value)) report(node, value);
          },
        };
      },
    },
  },
};
export default plugin;

const EFFECTS: ReadonlySet<string> = new Set([
  "fetch",
  "setTimeout",
  "setInterval",
  "queueMicrotask",
  "alert",
  "prompt",
]);

/** Modules of Node that only compute. */
const PURE_OF_NODE: ReadonlySet<string> = new Set(["node:buffer", "node:crypto", "node:path"]);

function isTypeOnly(specifier: Deno.lint.ImportDeclaration["specifiers"][number]): boolean {
  return specifier.type === "ImportSpecifier" && specifier.importKind === "type";
}

/** What prepares a process for etcd's client. */
const PREPARING: ReadonlySet<string> = new Set(["etcd/process", "etcd/goaway", "etcd/tls"]);

const OF_THE_PROCESS: ReadonlySet<string> = new Set([
  "addSignalListener",
  "removeSignalListener",
  "exit",
  "exitCode",
  "env",
  "chdir",
  "umask",
]);

/** Of `Deno.exit`, and of `Deno["exit"]`. */
function nameOf(property: Deno.lint.Node): string | undefined {
  if (property.type === "Identifier") return property.name;
  return property.type === "Literal" && typeof property.value === "string" ? property.value : undefined;
}

/** The module of `lib/` that a file imports by this name, if it is one. */
function targetOf(file: string, specifier: string | undefined): string | undefined {
  return specifier?.startsWith(".") ? moduleOf(join(dirname(file), specifier)) : undefined;
}

function problemOf(file: string, specifier: string | undefined): string | undefined {
  if (specifier === undefined || !specifier.startsWith(".")) return undefined;
  const from = moduleOf(file);
  const target = join(dirname(file), specifier);
  const to = moduleOf(target);
  if (from === undefined) return undefined;
  if (to !== undefined) return importProblem(from, to);
  return target.endsWith("/deno.json") ? undefined : `lib/${from}.ts must not import what is outside of lib/`;
}
