const plugin: Deno.lint.Plugin = { name: "etcd-haproxy", rules: {} };
export default plugin;
