"""The application as WSGI, and what a web process runs (`python -m raceday.web config.wsgi:server`); wiring only."""

import os
import signal

from django.core.wsgi import get_wsgi_application

from raceday.processes import freeze_imports, raise_file_limit, tie_to_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
tie_to_parent(signal.SIGKILL)  # a web worker whose server was killed would keep the port
raise_file_limit()
django = get_wsgi_application()
from raceday.published.lane import Lane  # noqa: E402
from raceday.web.connection import Connection  # noqa: E402  # once Django is set up
from raceday.web.server import WebServer  # noqa: E402

application = Lane(django)
server = WebServer(application)
freeze_imports()

__all__ = ["Connection", "application", "server"]
