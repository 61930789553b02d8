"""A client's address is that of its connection, unless a trusted proxy names another."""

import pytest
from pytest_django import Settings

from raceday.api.clients import client_address

CLIENT, PROXY, SECOND_PROXY = "203.0.113.1", "10.0.0.1", "10.0.0.2"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (PROXY, None, PROXY),
        (CLIENT, "192.0.2.1", CLIENT),  # its own word for itself
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"192.0.2.1, {CLIENT}", CLIENT),
        (PROXY, f"192.0.2.1, {CLIENT}, {SECOND_PROXY}", CLIENT),
        (PROXY, f"{SECOND_PROXY}, {PROXY}", SECOND_PROXY),
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        (PROXY, "nowhere", "nowhere"),
        ("nowhere", CLIENT, "nowhere"),
    ],
)
def test_only_a_trusted_proxy_names_its_client(
    settings: Settings, peer: str, forwarded: str | None, client: str
) -> None:
    settings.RATE_LIMIT_TRUSTED = ["10.0.0.0/24"]
    assert client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == client
