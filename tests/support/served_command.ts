// A server that knows nothing of etcd: it answers with the name that it is given, and ends gracefully at SIGTERM.
const [port, name = ""] = Deno.args;
const server = Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, () => {
  return new Response(name);
});
Deno.addSignalListener("SIGTERM", () => server.shutdown());
await server.finished;
