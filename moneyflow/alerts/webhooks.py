"""One message to one webhook. It goes to a public address over https, resolved once, and follows no redirect."""

import socket
import time
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx
from django.conf import settings
from msgspec import Struct

from moneyflow.alerts.signatures import signature

ANSWER_SECONDS = 5.0
NAT64 = IPv6Network("64:ff9b::/96")


class Message(Struct, frozen=True, kw_only=True):
    """What is sent: a receiver knows by the id that it has a message already. secrets: the newest first."""

    id: str
    url: str
    secrets: tuple[str, ...]
    body: bytes
    text: str = ""  # the same for a person


class Receipt(Struct, frozen=True):
    """What came of one try: the status, or why there is none."""

    status: int | None
    fault: str | None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class RefusedError(Exception):
    """Why Raceday does not send to an address."""


def send(message: Message) -> Receipt:
    """Send a message once, and wait for the head of the answer."""
    timestamp = int(time.time())
    try:
        url = checked(message.url)
        headers = {
            "host": url.netloc.decode(),
            "content-type": "application/json",
            "user-agent": "Raceday",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(message.secrets, message.id, timestamp, message.body),
        }
        # The name is not resolved again, so it cannot lead elsewhere by now; the certificate must still be the name's.
        pinned, named = url.copy_with(host=public_address(url)), {"sni_hostname": url.host}
        with (
            httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as client,
            client.stream("POST", pinned, content=message.body, headers=headers, extensions=named) as answer,
        ):
            return Receipt(answer.status_code, None if answer.is_success else f"HTTP {answer.status_code}")
    except (httpx.HTTPError, OSError, UnicodeError, RefusedError) as fault:
        return Receipt(None, f"{type(fault).__name__}: {fault}")


def public_address(url: httpx.URL) -> str:
    """Return an address of a URL's host; RefusedError unless every address of the host is public."""
    found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    addresses = [str(address[0]) for *_, address in found]
    if not settings.WEBHOOKS_PRIVATE and not all(map(is_public, addresses)):
        raise RefusedError(f"{url.host} is not on the public internet")
    return addresses[0]


def checked(address: str) -> httpx.URL:
    """Return the URL of a webhook; RefusedError for what is no https address. Http may be allowed."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as fault:
        raise RefusedError(str(fault)) from fault
    schemes = {"https", "http"} if settings.WEBHOOKS_PRIVATE else {"https"}
    if url.scheme not in schemes or not url.host or url.userinfo:
        raise RefusedError("the address must read https://host/path")
    return url


def is_public(text: str) -> bool:
    """Tell whether an address can be reached on the public internet; one inside another counts as itself.

    >>> is_public("1.1.1.1"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1"), is_public("169.254.169.254")
    (True, False, False, False)
    """
    address = ip_address(text.partition("%")[0])
    address = _inner(address) or address if isinstance(address, IPv6Address) else address
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
