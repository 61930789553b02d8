"""Who asks: a client's address, and which proxies are trusted to name it."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings

LONGEST_ADDRESS = 45  # letters of an IPv6 address that holds an IPv4 one


def client_address(meta: Mapping[str, Any]) -> str:
    """Return the client's address: a proxy's word for it only where a proxy is set to stand.

    meta: of the request, as WSGI has it. The last entry of X-Forwarded-For is the one the proxy wrote; those before
    it come from the client, unless the last one is a trusted proxy as well.
    """
    peer = str(meta.get("REMOTE_ADDR", ""))
    forwarded = meta.get("HTTP_X_FORWARDED_FOR")
    if not forwarded:
        return peer
    named = [name.strip() for name in str(forwarded).split(",")]
    if not settings.RATE_LIMIT_TRUSTED:
        return named[-1] if settings.SECURE_PROXY_SSL_HEADER else peer
    if not is_trusted(peer):
        return peer
    return next((name for name in reversed(named) if not is_trusted(name)), named[0])


def is_trusted(address: str) -> bool:
    """Tell whether a proxy of ours has this address: it names its clients, and is none itself."""
    networks = tuple(settings.RATE_LIMIT_TRUSTED)
    return bool(networks) and len(address) <= LONGEST_ADDRESS and _is_within(address, networks)


@lru_cache(1024)
def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    return any(plain in ip_network(network, strict=False) for network in networks)
