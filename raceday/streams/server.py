"""SERVE: the server of the streams' process: how many connections it may hold, and how it ends."""

import asyncio
import signal
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from raceday.listener import BACKLOG, listen
from raceday.processes import raise_file_limit, tie_to_parent
from raceday.streams.application import Streams

GRACE_SECONDS = 0.4
SEND_BUFFER_BYTES = 16 * 1024  # otherwise the kernel would keep megabytes for each client that does not keep up
HELD_BYTES = 0  # that may wait to be written before the next piece has to: no more than that one
HEAD_SECONDS, HEAD_BYTES = 10.0, 16 * 1024  # time for a client to send the head of its request
SERVER_OPTIONS = {"loop": "asyncio", "ws": "none", "lifespan": "on", "interface": "asgi3"}


class Connection(H11Protocol):
    """uvicorn's protocol, but it holds little for a client that does not read, and waits only so long for a head."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        transport.set_write_buffer_limits(HELD_BYTES)
        self.loop.call_later(HEAD_SECONDS, self._end_unless_asked)

    def _end_unless_asked(self) -> None:
        if self.scope is None and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn, which by itself would wait for streams to end that never do."""

    def __init__(self, streams: Streams, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.streams.close()
        await super().shutdown(sockets)


def serve(streams: Streams, *, host: str, port: int) -> int:
    """Serve streams until a signal ends it, and return the exit code."""
    tie_to_parent(signal.SIGKILL)
    raise_file_limit()
    config = uvicorn.Config(
        streams,
        http=Connection,
        h11_max_incomplete_event_size=HEAD_BYTES,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,  # type: ignore[arg-type]  # it is only waited for
        access_log=False,
        log_config=None,
        proxy_headers=False,  # raceday.api.clients decides whose word counts for an address
        server_header=False,
        **SERVER_OPTIONS,  # type: ignore[arg-type]
    )
    server = Server(streams, config)
    server.run(sockets=[listen(host, port, send_buffer_bytes=SEND_BUFFER_BYTES)])
    return 0 if server.started else 1
