"""How long an answer asks to be left alone."""

import pytest

from raceday.feed.retry_after import retry_after_seconds

DATE = "Sat, 21 Nov 2026 01:00:00 GMT"


@pytest.mark.parametrize(
    ("told", "date", "seconds"),
    [
        ("120", DATE, 120.0),
        (" 7 ", None, 7.0),
        ("0", None, 0.0),
        ("Sat, 21 Nov 2026 01:00:30 GMT", DATE, 30.0),
        ("Sat, 21 Nov 2026 02:00:30 +0100", DATE, 30.0),
        ("Saturday, 21-Nov-26 01:01:00 GMT", DATE, 60.0),  # as RFC 850 wrote it
        ("Sat Nov 21 01:01:00 2026", DATE, 60.0),  # as asctime writes it
        ("Sat, 21 Nov 2026 00:59:00 GMT", DATE, 0.0),
        ("Sat, 21 Nov 2026 01:00:30 GMT", None, None),
        ("Sat, 21 Nov 2026 01:00:30 GMT", "yesterday", None),
        ("soon", DATE, None),
        ("-5", DATE, None),
        ("1.5", DATE, None),
        ("٣", DATE, None),
        ("", DATE, None),
        (None, DATE, None),
    ],
)
def test_both_forms_are_read_and_nothing_else(told: str | None, date: str | None, seconds: float | None) -> None:
    headers = {name: text for name, text in (("retry-after", told), ("date", date)) if text is not None}
    assert retry_after_seconds(headers) == seconds
