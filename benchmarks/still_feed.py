"""`python -m benchmarks.still_feed --port N`: a feed that answers anything with one event, packed once."""

import argparse
import gzip
from typing import Any

from benchmarks.feed import event_body, open_races, past_racing
from raceday.simulator.running import listening, server_of
from raceday.simulator.server import GZIP_LEVEL


def app() -> Any:
    """Return an ASGI app that answers anything with one packed event."""
    simulation = past_racing()
    body = gzip.compress(event_body(simulation, open_races(simulation)[0], 60), GZIP_LEVEL)
    headers = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")]
    headers.append((b"content-length", str(len(body)).encode()))

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return serve


def main() -> None:
    """Serve on loopback until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.still_feed")
    parser.add_argument("--port", type=int, required=True)
    server_of(app()).run(sockets=[listening(parser.parse_args().port)])


if __name__ == "__main__":
    main()
