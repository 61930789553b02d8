"""FastAPI with redis: answer each GET with a compressed body from Valkey. Raceday's code is not used.

It runs in its own environment, which does not have Raceday's packages.
"""

import json
import os
import time
from typing import Any

from fastapi import FastAPI, Request, Response  # type: ignore[import-not-found]
from redis.asyncio import Redis

SAME_FOR_ALL = json.loads(os.environ["PEER_HEADERS"])
PREFIX = os.environ["PEER_PREFIX"]

store = Redis.from_url(os.environ["REDIS_URL"])
app = FastAPI(openapi_url=None)


async def answer(request: Request) -> Response:
    """Answer with the stored body, in the encoding that the client knows."""
    accepted = request.headers.get("accept-encoding", "")
    encoding = "br" if "br" in accepted else "gzip" if "gzip" in accepted else "identity"
    name = f"{PREFIX}{request.url.path}?{request.url.query}"
    found: list[Any] = await store.hmget(name, ["etag", "polled_at", "epoch", encoding])
    etag, polled_at, epoch, content = found
    if content is None:
        return Response(status_code=404)
    headers = {
        **SAME_FOR_ALL,
        "etag": etag.decode(),
        "x-polled-at": polled_at.decode(),
        "age": str(int(time.time() - float(epoch))),
    }
    if encoding != "identity":
        headers["content-encoding"] = encoding
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


app.add_api_route("/api/{page:path}", answer, methods=["GET"])
