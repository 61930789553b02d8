"""A client of the whole web application: the lane in front, and Django behind it."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.client import ClientHandler

from raceday.published.lane import Lane

MOVING = ("X-Cache", "Age", "X-Query-Count", "X-Query-Time", "X-Query-Avg")


class LaneHandler(ClientHandler):
    """Takes each request through a lane; what the lane passes on comes to Django as the test client brings it.

    came: the requests that came to Django.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lane = Lane(self.behind)
        self.came = 0

    def __call__(self, environ: dict[str, Any]) -> Any:
        told: list[Any] = []
        content = b"".join(self.lane(environ, lambda *status: told.append(status)))  # type: ignore[arg-type]
        status, headers = told[-1]
        response = HttpResponse(content, status=int(status.split()[0]))
        del response.headers["Content-Type"]
        for name, value in headers:  # one that comes twice means what both say
            response.headers[name] = f"{response.headers[name]}, {value}" if name in response.headers else value
        response.wsgi_request = HttpRequest()  # type: ignore[attr-defined]  # which the test client looks for
        return response

    def behind(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Be the WSGI application that stands behind the lane."""
        self.came += 1
        response: Any = super().__call__(environ)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return (b"".join(response) if response.streaming else response.content,)


class LaneClient(Client):
    """Django's test client, of the application that the web server runs."""

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self.handler: LaneHandler = LaneHandler()

    def forget(self) -> None:
        """Have the process forget the bodies it has just sent."""
        self.handler.lane.kept.clear()

    def outcomes(self, *addresses: str) -> list[str]:
        """Ask for each address, without the process's own copies, and tell what its X-Cache says."""
        found = []
        for address in addresses:
            self.forget()
            found.append(self.get(address).headers.get("X-Cache", "none"))
        return found


def lasting(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in MOVING}


def cross_origin(answer: Any) -> dict[str, str | set[str]]:
    told = {name.lower(): value for name, value in answer.headers.items()}
    told = {name: value for name, value in told.items() if name.startswith("access-control-")}
    return {**told, "vary": set(answer["Vary"].lower().split(", "))}
