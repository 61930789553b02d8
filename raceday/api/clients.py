"""SERVE: a client's address, and the proxies that are trusted to name it."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings

LONGEST_ADDRESS = 45  # letters of an IPv6 address that holds an IPv4 one


def client_address(meta: Mapping[str, Any]) -> str:
    """Return the client's address; a proxy's word counts only if the settings name a proxy.

    meta: the request's WSGI environment. The proxy wrote the last entry of X-Forwarded-For. The entries before it come
    from the client, unless the last one is a trusted proxy too.
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
    """Tell whether this is the address of a trusted proxy, which names its clients and is not a client itself."""
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
