"""Pages of other origins: which of them may use the API. One answer for Django, the lane and the streams."""

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
    """Tell whether CORS_ALLOWED_ORIGINS names an origin; `http://localhost:*` there names all ports of a host."""
    allowed = settings.CORS_ALLOWED_ORIGINS
    return origin in allowed or f"{origin.rpartition(':')[0]}:*" in allowed


def cors_headers(origin: str) -> dict[str, str]:
    """Return what tells the page of an origin, "" for none, that it may read the answer; nothing if it may not."""
    if not origin or not is_allowed(origin):
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": ", ".join(READ)}


def preflight_headers(methods: str = METHODS) -> dict[str, str]:
    """Return what tells a page that may use the API how it may ask."""
    return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": ", ".join(SENT),
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }


def cors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that answers preflights, and lets pages of allowed origins read the API's answers."""

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
