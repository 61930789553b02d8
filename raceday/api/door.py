"""SERVE: how large the parts of a request may be. A request beyond these limits is counted and refused."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse

import msgspec

from raceday import metrics

MOST_PATH, MOST_QUERY = 1024, 8192  # an admin page; fifty ids of a hundred letters
MOST_PARAMETERS = 100
MOST_HEADERS = {"HTTP_HOST": 260, "HTTP_ACCEPT_ENCODING": 512, "CONTENT_TYPE": 256, "HTTP_ORIGIN": 512}
MOST_HEADERS |= {"HTTP_IF_NONE_MATCH": 4096, "HTTP_X_FORWARDED_FOR": 1024}
Fault = tuple[HTTPStatus, str]

TOO_LONG = (HTTPStatus.REQUEST_URI_TOO_LONG, f"a path may have {MOST_PATH} letters and a query {MOST_QUERY}")
TOO_MANY_PARAMETERS = (HTTPStatus.BAD_REQUEST, f"a query may have {MOST_PARAMETERS} parameters")
BAD_HEADER = (HTTPStatus.BAD_REQUEST, "a header is too long")


def fault_of(environ: Mapping[str, Any]) -> Fault | None:
    """Return why a request is too large to be looked at; None: it is not."""
    if len(environ["PATH_INFO"]) > MOST_PATH or len(environ.get("QUERY_STRING", "")) > MOST_QUERY:
        return TOO_LONG
    if environ.get("QUERY_STRING", "").count("&") >= MOST_PARAMETERS:
        return TOO_MANY_PARAMETERS
    is_long = any(len(environ[name]) > MOST_HEADERS[name] for name in MOST_HEADERS.keys() & environ.keys())
    return BAD_HEADER if is_long else None


def refuse(
    start_response: StartResponse, status: HTTPStatus, sentence: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Count a refusal, and answer with it."""
    metrics.REFUSED.labels(status=int(status)).inc()
    return answer(start_response, status, {"error": sentence}, headers)


def answer(
    start_response: StartResponse, status: HTTPStatus, body: Any, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Answer without asking anybody."""
    content = msgspec.json.encode(body)
    own = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), ("Cache-Control", "no-store")]
    start_response(f"{int(status)} {status.phrase}", [*own, *headers])
    return [content]


def whole(parts: Iterable[bytes]) -> bytes:
    """Return an answer of WSGI in one piece, and let it end."""
    try:
        return b"".join(parts)
    finally:
        if (close := getattr(parts, "close", None)) is not None:
            close()
