"""Which messengers are served, and what a person reads."""

import socket
import threading

import pytest
from pytest_django import Settings

from moneyflow.alerts.delivery import check, send
from moneyflow.alerts.examples import RACE_ALERT
from moneyflow.alerts.messengers import messenger, sentence
from moneyflow.alerts.webhooks import Message, RefusedError

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"


@pytest.mark.parametrize(
    "address", [SLACK, "discord://123456/abcdef", f"tgram://123456789:{'A' * 35}/12345", "ntfy://topic"]
)
def test_messengers_with_a_host_of_their_own_are_served(address: str) -> None:
    check(address)
    assert messenger(address).redirects is False


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("json://127.0.0.1/", "must read https://host/path"),
        ("file:///etc/passwd", "must read https://host/path"),
        ("syslog://", "must read https://host/path"),
        ("ntfys://my.example/topic", "only topics of ntfy.sh"),
        ("slack://half", "must be a webhook or one of apprise's for discord, mailto"),
        ("mailtos://user:word@here.example?smtp=127.0.0.1", "127.0.0.1 is not on the public internet"),
    ],
)
def test_no_other_address_is_served(address: str, fault: str) -> None:
    with pytest.raises(RefusedError, match=fault):
        check(address)


def test_what_the_messenger_refuses_is_a_receipt(settings: Settings) -> None:
    receipt = send(Message(id="a", url="slack://half", secrets=(), body=b"", text="x"))
    assert (receipt.is_delivered, receipt.fault and receipt.fault.partition(":")[0]) == (False, "RefusedError")


def test_a_mail_reaches_its_server_with_the_sentence_in_it(settings: Settings) -> None:
    settings.WEBHOOKS_PRIVATE = True
    came: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=take_a_mail, args=[listener, came], daemon=True).start()
    port = listener.getsockname()[1]
    url = f"mailto://here.example:{port}?smtp=127.0.0.1&from=raceday@here.example&to=me@here.example&mode=insecure"
    receipt = send(Message(id="a", url=url, secrets=(), body=b"", text=sentence(RACE_ALERT)))
    assert receipt.is_delivered, receipt.fault
    assert "Subject: Unusual late money" in "".join(came)
    listener.close()


def take_a_mail(listener: socket.socket, came: list[str]) -> None:
    peer, _ = listener.accept()
    with peer, peer.makefile("rw", newline="\r\n") as line:
        line.write("220 here\r\n")
        line.flush()
        is_data = False
        for text in line:
            came.append(text)
            if is_data and text != ".\r\n":
                continue
            is_data = text.upper().startswith("DATA")
            line.write("354 go on\r\n" if is_data else "250 well\r\n")
            line.flush()


def test_a_person_reads_what_came_and_that_it_is_no_advice() -> None:
    assert sentence({**RACE_ALERT, "seconds_since_start": -20}) == (
        "R4 Addington, Harbourside Mobile Pace 2600: #1 Velvet Bandit\n"
        "$642 in 30 s, $182 expected; 1 in 24 races looks like this; 20 s before the advertised start.\n"
        "This is unusual money, and no advice to bet."
    )
    assert "12 s past the advertised start" in sentence(RACE_ALERT)
