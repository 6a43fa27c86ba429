// One HTTP/2 session with as many requests as its second argument says, to the port that its first one says.
// It ends when the session has, and tells what it heard of it.
import http2 from "node:http2";
import { surviveGoaway } from "../../lib/etcd/goaway.ts";

surviveGoaway();
const [port, requests] = Deno.args.map(Number);
const session = http2.connect(`http://127.0.0.1:${port}`);
const heard: string[] = [];
session.on("goaway", (code) => heard.push(`goaway ${code}`));
session.on("error", (error) => heard.push(error.message));
session.on("close", () => {
  heard.push(`closed, destroyed: ${session.destroyed}`);
  // A crash that comes late has the time to come.
  setTimeout(() => console.log(JSON.stringify(heard)), 50);
});
for (let i = 0; i < (requests ?? 0); i++) {
  const request = session.request({ ":method": "POST", ":path": "/" });
  request.on("error", () => heard.push("request failed"));
  request.on("response", (headers) => heard.push(`status ${headers[":status"]}`));
  request.resume();
  request.end("x");
}
