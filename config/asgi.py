"""The ASGI callable of the streams' process, and `python -m config.asgi`, which serves it; wiring only."""

import argparse
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
from raceday.processes import freeze_imports  # noqa: E402  # once Django is set up
from raceday.streams.application import Streams  # noqa: E402
from raceday.streams.server import serve  # noqa: E402
from races.of_meeting import races_of_meeting  # noqa: E402

application = Streams(races_of_meeting)
freeze_imports()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m config.asgi")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    raise SystemExit(serve(application, host=options.host, port=options.port))
