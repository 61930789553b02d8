"""How pages for people are rendered. An app above gives them their look: the template `page.html`, which all extend."""

from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from raceday import clock
from raceday.racing_day import NZ

OWN_ONLY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' https: data:; base-uri 'none'"
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"{OWN_ONLY}; form-action 'none'; frame-ancestors 'none';"
        f" connect-src 'self' http://localhost:{settings.STREAM_PORT} http://127.0.0.1:{settings.STREAM_PORT}"
    ),
}


def render_page(template: str, **facts: Any) -> bytes:
    """Render a page as of now. It knows no request: nothing personal is in it."""
    own = {"now": clock.now().astimezone(NZ), "stream_port": settings.STREAM_PORT, "is_demo": settings.DEMO}
    return render_to_string(template, facts | own).encode()
