"""`python -m raceday.web module:server`: the web processes, which share one listening socket."""

import argparse

import uvicorn
from uvicorn.supervisors import Multiprocess

from raceday.listener import BACKLOG, listen

GRACE_SECONDS = 1  # for requests that are being answered when the process is told to stop


def serve(application: str, *, host: str, port: int, workers: int) -> int:
    """Serve until a signal ends it, and return the exit code.

    application: a WebServer as module:name; the module has the Connection, too, and sets Django up before either.
    A worker that dies, or is stopped for five seconds, is replaced.
    """
    config = uvicorn.Config(
        application,
        http=f"{application.partition(':')[0]}:Connection",
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=workers,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
        log_config=None,
        proxy_headers=False,  # raceday.api.clients decides whose word counts for an address
        server_header=False,
    )
    listener = listen(host, port)
    if workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return 0
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m raceday.web")
    parser.add_argument("application", metavar="module:server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    raise SystemExit(serve(options.application, host=options.host, port=options.port, workers=options.workers))
