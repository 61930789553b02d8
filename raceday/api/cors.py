"""Which pages of other origins may use the API: one answer for Django, the lane and the streams."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from raceday.api.headers import RATE_LIMIT_HEADERS

METHODS = "GET, HEAD, OPTIONS, POST, PUT"
SENT = ("accept", "content-type", "if-none-match", "last-event-id", "x-race-polling", "x-requested-with")
READ = ("Age", "ETag", "Retry-After", "X-Cache", "X-Polled-At", *RATE_LIMIT_HEADERS)
PREFLIGHT_SECONDS = 86_400


def is_allowed(origin: str) -> bool:
    """Tell whether CORS_ALLOWED_ORIGINS names an origin; `http://localhost:*` there means every port of that host."""
    allowed = settings.CORS_ALLOWED_ORIGINS
    return origin in allowed or f"{origin.rpartition(':')[0]}:*" in allowed


def cors_headers(origin: str) -> dict[str, str]:
    """Return the headers that let a page of this origin read the response; none if it may not. "": no origin."""
    if not origin or not is_allowed(origin):
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": ", ".join(READ)}


def preflight_headers(methods: str = METHODS) -> dict[str, str]:
    """Return the headers that tell an allowed page which methods and headers it may send."""
    return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": ", ".join(SENT),
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }


def cors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that answers preflights and lets pages of allowed origins read responses."""

    def answer(request: HttpRequest) -> HttpResponse:
        if not settings.CORS_ALLOWED_ORIGINS or not request.path_info.startswith("/api/"):
            return get_response(request)
        headers = cors_headers(request.headers.get("Origin", ""))
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = HttpResponse(headers=preflight_headers() if headers else {})
        else:
            response = get_response(request)
        patch_vary_headers(response, ["origin"])
        for name, value in headers.items():
            response.headers[name] = value
        return response

    return answer
