"""/metrics: what every process counted, and gauges read at the scrape."""

import os
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from operations.gauges import Gauges
from raceday.api.errors import permission_denied

FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP")


@never_cache
@require_safe
def scrape(request: HttpRequest) -> HttpResponse:
    """Answer a scrape, to this machine only unless METRICS_PUBLIC."""
    if not (settings.METRICS_PUBLIC or is_local(request)):
        return permission_denied(request)
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(Gauges())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def is_local(request: HttpRequest) -> bool:
    """Tell whether the caller sits on this machine, not behind a proxy that does."""
    if any(name in request.META for name in FORWARDED):
        return False
    return ip_address(request.META["REMOTE_ADDR"]).is_loopback
