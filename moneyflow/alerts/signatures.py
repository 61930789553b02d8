"""Signatures of the Standard Webhooks convention: an HMAC-SHA256 over id, time and body. PURE but for new secrets."""

import base64
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a secret as the convention writes it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`, with one signature for each secret: two while a secret is rotated.

    timestamp: Unix seconds of this try.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(_digest(key, signed)).decode()}" for key in keys)


def _digest(key: str, signed: bytes) -> bytes:
    return hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), signed, "sha256")
