"""One message to one messenger by apprise: Slack, Discord, Telegram, ntfy or mail, and nothing else that it knows."""

from collections.abc import Mapping
from typing import Any

import httpx

from moneyflow.alerts.webhooks import Message, Receipt, RefusedError, public_address

SCHEMES = frozenset({"discord", "mailto", "mailtos", "ntfy", "ntfys", "slack", "tgram"})
TITLE = "Unusual late money"


def send(message: Message) -> Receipt:
    """Send a message once; apprise tells no more than whether it went."""
    try:
        is_sent = messenger(message.url).notify(title=TITLE, body=message.text)
    except (OSError, TypeError, ValueError, RefusedError) as fault:
        return Receipt(None, f"{type(fault).__name__}: {fault}")
    return Receipt(200, None) if is_sent else Receipt(None, "the messenger refused it")


def messenger(address: str) -> Any:
    """Return apprise's sender for an address; RefusedError if Raceday does not send there.

    Slack, Discord, Telegram and ntfy.sh have one host each. A mail server must be on the public internet.
    """
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 it takes seconds, and few processes need it

    scheme = address.partition("://")[0].lower()
    found: Any = scheme in SCHEMES and Apprise.instantiate(address, asset=AppriseAsset(http_redirects=False))
    if not found:
        raise RefusedError(f"the address must be a webhook or one of apprise's for {', '.join(sorted(SCHEMES))}")
    if scheme.startswith("ntfy") and found.mode != "cloud":
        raise RefusedError("of ntfy only topics of ntfy.sh are served")
    if scheme.startswith("mailto"):
        public_address(httpx.URL(scheme="smtp", host=found.smtp_host))
    return found


def sentence(alert: Mapping[str, Any]) -> str:
    """Say an alert, as RaceAlertSerializer shows it, to a person."""
    seconds, window = alert["seconds_since_start"], alert["window_seconds"]
    seen, expected = (f"${alert[name] / 100:,.0f}" for name in ("seen_cents", "expected_cents"))
    return (
        f"R{alert['race_number']} {alert['meeting_name']}, {alert['race_name']}:"
        f" #{alert['runner_number']} {alert['name']}\n"
        f"{seen} in {window} s, {expected} expected; 1 in {alert['one_in_races']:,.0f} races looks like this;"
        f" {abs(seconds)} s {'before' if seconds < 0 else 'past'} the advertised start.\n"
        "This is unusual money, and no advice to bet."
    )
