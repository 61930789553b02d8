"""One message to one webhook: signed, to a public address, pinned, never redirected."""

import base64
import hashlib
import hmac
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from moneyflow.alerts.signatures import new_secret, signature
from moneyflow.alerts.webhooks import Message, Receipt, is_public, send
from tests.support.receiver import Receiver

KEYS = (new_secret(), new_secret())


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOKS_PRIVATE = True
    receiver = Receiver()
    yield receiver
    receiver.close()


def message(url: str, *keys: str) -> Message:
    return Message(id="alert-7", url=url, secrets=keys or KEYS[:1], body=b'{"type":"late_money.alert"}')


def test_a_message_is_signed_over_its_id_time_and_body(receiver: Receiver) -> None:
    assert send(message(receiver.url)) == Receipt(204, None)
    [came] = receiver.came
    assert (came.path, came.body, came.headers["webhook-id"]) == ("/hook", b'{"type":"late_money.alert"}', "alert-7")
    key = base64.b64decode(KEYS[0].removeprefix("whsec_"))
    signed = f"alert-7.{came.headers['webhook-timestamp']}.".encode() + came.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert came.headers["webhook-signature"] == f"v1,{expected}"


def test_the_conventions_own_example_has_its_signature() -> None:
    """The test vector of the Standard Webhooks libraries."""
    key, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_give_two_signatures() -> None:
    both = signature(KEYS, "m", 1, b"x").split(" ")
    assert both == [signature([key], "m", 1, b"x") for key in KEYS]


def test_a_redirect_is_a_failure_and_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = (
        302,
        {"Location": f"http://127.0.0.1:{receiver.port}/other", "Content-Length": "0"},
    )
    assert send(message(receiver.url)) == Receipt(302, "HTTP 302")
    assert [came.path for came in receiver.came] == ["/hook"]


def test_a_name_is_resolved_once_and_kept_in_the_head(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        if host == "hook.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]
        return getaddrinfo(host, *rest, **options)

    getaddrinfo = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert send(message(f"http://hook.example:{receiver.port}/hook?key=1")).is_delivered
    assert asked.count("hook.example") == 1
    assert receiver.came[0].headers["host"] == f"hook.example:{receiver.port}"
    assert receiver.came[0].path == "/hook?key=1"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://127.0.0.1/hook", "127.0.0.1 is not on the public internet"),
        ("https://localhost/hook", "localhost is not on the public internet"),
        ("https://[::1]/hook", "::1 is not on the public internet"),
        ("https://2130706433/hook", "2130706433 is not on the public internet"),
        ("http://1.1.1.1/hook", "the address must read https://host/path"),
        ("https://user:word@1.1.1.1/hook", "the address must read https://host/path"),
        ("ftp://1.1.1.1/hook", "the address must read https://host/path"),
        ("https:///hook", "the address must read https://host/path"),
    ],
)
def test_only_https_to_the_public_internet_is_sent(url: str, fault: str) -> None:
    assert send(message(url)) == Receipt(None, f"RefusedError: {fault}")


def test_a_name_of_which_one_address_is_private_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    receipt = send(message("https://hook.example/"))
    assert receipt == Receipt(None, "RefusedError: hook.example is not on the public internet")


@pytest.mark.parametrize(
    "url", ["https://[", "https://no such host.example/", "https://nowhere.invalid/", "no address"]
)
def test_what_leads_nowhere_is_a_receipt_too(url: str) -> None:
    receipt = send(message(url))
    assert (receipt.status, receipt.is_delivered) == (None, False)
    assert receipt.fault


def test_nobody_at_the_address_is_a_receipt_too(receiver: Receiver) -> None:
    receiver.close()
    assert "ConnectError" in (send(message(receiver.url)).fault or "")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *[("1.1.1.1", True), ("2606:4700::1111", True), ("64:ff9b::101:101", True), ("2002:101:101::", True)],
        *[("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("100.64.0.1", False)],
        *[("0.0.0.0", False), ("224.0.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False)],  # noqa: S104
        *[("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("ff02::1", False)],
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public
