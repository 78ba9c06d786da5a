import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

if (!process.env.WEBHOOK_KEY) throw new Error("set WEBHOOK_KEY to a line of webhook.key");
const key = Buffer.from(process.env.WEBHOOK_KEY.replace("whsec_", ""), "base64");
// In a database, beside what the messages are used for.
const known = new Set();

function isSigned(head, body) {
  const right = createHmac("sha256", key)
    .update(`${head["webhook-id"]}.${head["webhook-timestamp"]}.`)
    .update(body)
    .digest();
  return (head["webhook-signature"] ?? "").split(" ").some((signature) => {
    const given = Buffer.from(signature.replace("v1,", ""), "base64");
    return given.length === right.length && timingSafeEqual(given, right);
  });
}

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const age_s = Math.abs(Date.now() / 1000 - Number(request.headers["webhook-timestamp"]));
  if (!isSigned(request.headers, body) || !(age_s < 300)) {
    response.writeHead(401).end();
    return;
  }
  const event = JSON.parse(body);
  if (!known.has(event.id)) {
    known.add(event.id);
    const what = event.type === "missed" ? `${event.from} to ${event.to}` : (event.text ?? event.base64);
    console.log(event.type, event.topic, what);
  }
  response.writeHead(204).end();
});
server.listen(8787, "127.0.0.1");
