"""Run the simulator's app with uvicorn on loopback: in this thread, or in a thread of its own for tests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvicorn
from uvicorn._types import ASGI3Application

from raceday.simulator.server import App

HOST = "127.0.0.1"
KEEP_ALIVE_SECONDS = 75  # longer than the client's, so that the client always closes first


def listening(port: int) -> socket.socket:
    """Bind loopback on a port, 0 for a free one; OSError when it is taken."""
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer waits 40 ms for an acknowledgement.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((HOST, port))
    return door


def server_of(app: App) -> uvicorn.Server:
    """Return a silent server that drops open connections when it is told to stop."""
    return uvicorn.Server(
        uvicorn.Config(
            cast(ASGI3Application, app),
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=0,
        )
    )


@contextmanager
def running(app: App) -> Iterator[str]:
    """Serve an app on a free port, in a thread, while the context lasts, and give its URL."""
    door = listening(0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://{HOST}:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        door.close()
