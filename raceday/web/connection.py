"""SERVE: one client's connection to a web process. Heads and silence end; a ready response is sent at once."""

import asyncio
import sys
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from raceday.published.lane import Environ
from raceday.web.server import Answer, WebServer, refused

HEAD_SECONDS, HEAD_BYTES = 10.0, 80 * 1024  # time for a client to send the head of its request
IDLE_SECONDS = 60.0  # between two requests
LOOK_SECONDS = 1.0
MOST_CONNECTIONS = 2000  # a process
MOST_PIPELINED = 16  # requests sent before the answer to the one before them
MOST_NAME = 64  # letters of a header's name
HEAD_TOO_LARGE = (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head may have {HEAD_BYTES} bytes")
OWN = {
    "SCRIPT_NAME": "",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, but it asks the lane before it starts a task, and ends a silent connection."""

    app: WebServer  # which is an ASGI application, too

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.is_at_head, self.head_bytes, self.since = True, 0, self.loop.time()
        self.address = self.client[0] if self.client else ""
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._look_after()

    def _look_after(self) -> None:
        """Close the connection of a client that is too slow with a head, or silent for too long."""
        if self.transport.is_closing():
            return
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and self.loop.time() - self.since > (HEAD_SECONDS if self.is_at_head else IDLE_SECONDS):
            self.transport.close()
        self.loop.call_later(LOOK_SECONDS, self._look_after)

    def data_received(self, data: bytes) -> None:
        self.head_bytes += len(data)
        super().data_received(data)
        if self.is_at_head and self.head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._write(refused(HEAD_TOO_LARGE), keep_alive=False)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.is_at_head, self.since = True, self.loop.time()

    def on_headers_complete(self) -> None:
        self.is_at_head, self.head_bytes = False, 0
        environ = environ_of(self)
        answer = self.app.at_once(environ)
        is_next = (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused
        if (
            answer is not None
            and is_next
            and "CONTENT_LENGTH" not in environ
            and "HTTP_TRANSFER_ENCODING" not in environ
        ):
            self._write(answer, keep_alive=self.parser.should_keep_alive())
        elif len(self.pipeline) < MOST_PIPELINED:
            self.scope["state"] = {"environ": environ, "answer": answer}
            super().on_headers_complete()
        else:
            self.transport.abort()

    def on_message_complete(self) -> None:
        if self.cycle is not None:  # None: all requests so far were answered at once
            super().on_message_complete()

    def _write(self, answer: Answer, *, keep_alive: bool) -> None:
        told = [*self.server_state.default_headers, *([] if keep_alive else [(b"connection", b"close")])]
        own = b"".join([b"%b: %b\r\n" % header for header in told])
        headers = "".join([f"{name}: {value}\r\n" for name, value in answer.headers]).encode("latin-1")
        self.transport.write(b"".join([STATUS_LINE[answer.status], own, headers, b"\r\n", answer.content]))
        if not keep_alive:
            self.transport.close()


def environ_of(connection: Connection) -> Environ:
    """Return the request whose head has arrived, as a WSGI environment."""
    url = httptools.parse_url(connection.url)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in connection.headers]
    headers = [header for header in headers if len(header[0]) <= MOST_NAME]
    environ: Environ = {key_of(name): value for name, value in headers}
    if len(environ) < len(headers):
        environ = joined(headers)
    environ.pop("", None)
    environ |= OWN
    environ["REQUEST_METHOD"] = connection.parser.get_method().decode()
    environ["PATH_INFO"] = (unquote_to_bytes(url.path) if b"%" in url.path else url.path).decode("latin-1")
    environ["QUERY_STRING"] = url.query.decode("latin-1") if url.query else ""
    environ["REMOTE_ADDR"] = connection.address
    environ["SERVER_NAME"], port = connection.server or ("", None)
    environ["SERVER_PORT"] = str(port)
    environ["SERVER_PROTOCOL"] = f"HTTP/{connection.parser.get_http_version()}"
    environ["wsgi.url_scheme"] = connection.scheme
    return environ


def joined(headers: Iterable[tuple[str, str]]) -> Environ:
    """Return headers of which one came twice."""
    environ: Environ = {}
    for name, value in headers:
        key = key_of(name)
        between = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
    return environ


@lru_cache(256)
def key_of(name: str) -> str:
    """Return a header's name as WSGI has it; "" for one with an underscore, which could pass itself off as another."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
