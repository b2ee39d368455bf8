// What asgi.py serves, under Node's own http module. Called with the port.
import { createHash } from "node:crypto";
import http from "node:http";
import { gzipSync } from "node:zlib";

const BLOCK = 64 * 1024;
const turns = new Map(); // name of a stream of events -> how many may go, and who waits for one

function block(number) {
  const digest = createHash("sha256").update(String(number)).digest();
  return Buffer.concat(Array(BLOCK / 32).fill(digest));
}

function json(response, value, headers = {}) {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length, ...headers });
  response.end(body);
}

function turn(name) {
  if (!turns.has(name)) turns.set(name, { free: 0, waiting: [] });
  return turns.get(name);
}

function acquire(name) {
  const mine = turn(name);
  if (mine.free > 0) {
    mine.free -= 1;
    return Promise.resolve();
  }
  return new Promise((resolve) => mine.waiting.push(resolve));
}

const paths = {
  "/seen": async (request, response, query) => {
    const headers = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push([request.rawHeaders[i].toLowerCase(), request.rawHeaders[i + 1]]);
    const { remoteAddress: client, remotePort: port } = request.socket;
    json(response, { method: request.method, target: request.url, scheme: "http", client, port, headers }, { "X-Large": "l".repeat(Number(query.get("large") ?? 0)) });
  },
  "/digest": async (request, response) => {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of request) {
      bytes += part.length;
      hash.update(part);
    }
    json(response, { bytes, sha256: hash.digest("hex") });
  },
  "/echo": async (request, response) => {
    response.writeHead(200, { "Content-Type": "application/octet-stream" });
    request.pipe(response);
  },
  "/bytes": async (request, response, query) => {
    const blocks = Number(query.get("blocks"));
    response.writeHead(200, query.has("length") ? { "Content-Length": blocks * BLOCK } : {});
    for (let number = 0; number < blocks; number += 1) {
      if (!response.write(block(number))) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end();
  },
  "/events": async (request, response, query) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.flushHeaders();
    for (let number = 0; number < 3; number += 1) {
      await acquire(query.get("name"));
      response.write(`data: ${number}\n\n`);
    }
    response.end();
  },
  "/next": async (request, response, query) => {
    const mine = turn(query.get("name"));
    if (mine.waiting.length > 0) mine.waiting.shift()();
    else mine.free += 1;
    response.end("ok");
  },
  "/gzip": async (request, response) => {
    const body = gzipSync("to be left as it is\n".repeat(100));
    response.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": body.length });
    response.end(body);
  },
};

http
  .createServer({ maxHeaderSize: 32 * 1024 }, (request, response) => {
    const url = new URL(request.url, "http://node");
    const answer = paths[url.pathname];
    if (answer) answer(request, response, url.searchParams);
    else response.writeHead(404).end();
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
