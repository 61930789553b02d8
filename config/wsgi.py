"""The WSGI callable the web server runs; wiring only."""

import os
import signal

from django.core.wsgi import get_wsgi_application

from raceday.process import tie_to_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
tie_to_parent(signal.SIGKILL)  # a web worker whose server was killed would keep the port
django = get_wsgi_application()
from raceday.published import Lane  # noqa: E402  # once Django is set up

application = Lane(django)
