"""The list of all routes, at `/api` and `/api/`."""

from functools import cache
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import EndpointEnumerator


@require_safe
def index(request: HttpRequest) -> JsonResponse:
    """Say where the docs are, and list every route with its methods."""
    return JsonResponse({"docs": reverse("docs"), "schema": reverse("schema"), "routes": routes()})


@cache
def routes() -> list[dict[str, object]]:
    """Return the routes below /api in the order of their addresses."""
    methods: dict[str, list[str]] = {}
    endpoints: Any = EndpointEnumerator()  # which is not typed
    for path, _, method, _ in endpoints.get_api_endpoints():
        methods.setdefault(path.rstrip("/"), []).append(method)
    return [{"path": path, "methods": methods[path]} for path in sorted(methods) if path.startswith("/api/")]
