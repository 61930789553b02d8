// Express with ioredis: answers each GET with what stands in Valkey, packed by whoever wrote it. Not Raceday's own.

"use strict";

const express = require("express");
const { Redis } = require("ioredis");

const sameForAll = JSON.parse(process.env.PEER_HEADERS);
const prefix = process.env.PEER_PREFIX;
const address = new URL(process.env.REDIS_URL);
const store =
  address.protocol === "unix:"
    ? new Redis({ path: decodeURIComponent(address.pathname), db: Number(address.searchParams.get("db") || 0) })
    : new Redis(process.env.REDIS_URL);

const app = express();
app.disable("x-powered-by");
app.disable("etag"); // the writer's is sent
app.set("query parser", false);

app.get("/api/{*page}", async (request, response) => {
  const accepted = request.headers["accept-encoding"] || "";
  const encoding = accepted.includes("br") ? "br" : accepted.includes("gzip") ? "gzip" : "identity";
  const name = prefix + request.url;
  const [etag, polledAt, epoch, content] = await store.hmgetBuffer(name, "etag", "polled_at", "epoch", encoding);
  if (content === null) return response.sendStatus(404);
  const headers = {
    ...sameForAll,
    ETag: etag.toString(),
    "X-Polled-At": polledAt.toString(),
    Age: String(Math.floor(Date.now() / 1000 - Number(epoch))),
  };
  if (encoding !== "identity") headers["Content-Encoding"] = encoding;
  if ((request.headers["if-none-match"] || "").includes(headers.ETag)) {
    return response.writeHead(304, headers).end();
  }
  headers["Content-Type"] = "application/json";
  headers["Content-Length"] = content.length;
  return response.writeHead(200, headers).end(content);
});

app.listen(Number(process.env.PORT), "127.0.0.1");
