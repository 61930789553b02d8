"""Headers that every answer carries."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.http import ConditionalGetMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers

RATE_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
QUERY_HEADERS = ("X-Query-Count", "X-Query-Time", "X-Query-Avg")
KEPT_ON_304 = ("X-Frame-Options", "X-Cache", "X-Polled-At", "Age", *RATE_LIMIT_HEADERS, *QUERY_HEADERS)


class ConditionalGet(ConditionalGetMiddleware):
    """Django's If-None-Match, and the headers every answer carries, on a 304 too."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        patch_vary_headers(response, ["Accept-Encoding"])
        response.headers.setdefault("Cache-Control", "no-cache" if response.status_code < 400 else "no-store")
        answer = super().process_response(request, response)
        for name in KEPT_ON_304:
            if name in response.headers:
                answer.headers[name] = response.headers[name]
        return answer


@cache
def security_headers() -> tuple[tuple[str, str], ...]:
    """Return the headers that Django's own middleware puts on every answer."""
    request, response = HttpRequest(), HttpResponse()
    request.META.update({"SERVER_NAME": "localhost", "SERVER_PORT": "443", "wsgi.url_scheme": "https"})
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    del response.headers["Content-Type"]
    for middleware in (SecurityMiddleware, XFrameOptionsMiddleware):
        middleware(lambda _: response).process_response(request, response)
    return tuple(response.headers.items())
