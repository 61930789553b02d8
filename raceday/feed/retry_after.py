"""How long an answer asks to be left alone: both forms of Retry-After (RFC 9110, 10.2.3). PURE."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait, None if it names no time or one that cannot be read.

    `headers` by their names in small letters. A date is held against the answer's own Date: the feed's clock may
    differ from ours.

    >>> retry_after_seconds({"retry-after": "120"})
    120.0
    >>> retry_after_seconds(
    ...     {"retry-after": "Sat, 21 Nov 2026 01:00:30 GMT", "date": "Sat, 21 Nov 2026 01:00:00 GMT"}
    ... )
    30.0
    """
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdecimal():
        return float(told)
    try:
        asked = _instant(told) - _instant(headers.get("date", ""))
    except ValueError:  # one is missing, or is no date
        return None
    return max(0.0, asked.total_seconds())


def _instant(text: str) -> datetime:
    read = parsedate_to_datetime(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)  # the oldest form names no zone
