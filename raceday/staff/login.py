"""The admin's login form, where failed logins make the next one wait. No word here tells whether a user exists."""

import hashlib
from typing import Any

import structlog
from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from redis.exceptions import RedisError
from unfold.forms import AuthenticationForm

from raceday.api.clients import client_address

FREE_FAILURES = 5
WINDOW_SECONDS = 15 * 60
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 15 * 60

log = structlog.get_logger(__name__)


def wait_after(failures: int) -> int:
    """Return the seconds during which logins are refused after so many failures in a row.

    >>> wait_after(4), wait_after(5), wait_after(6), wait_after(100)
    (0, 30, 60, 900)
    """
    if failures < FREE_FAILURES:
        return 0
    doublings = min(failures - FREE_FAILURES, 10)  # past the longest wait already, and still a small number
    return min(FIRST_WAIT_SECONDS << doublings, LONGEST_WAIT_SECONDS)


def _subjects(username: str, address: str) -> tuple[str, str]:
    """What failures are counted for: the name from this address, and the address. Hashed: no names are kept."""
    both = f"{username.strip().casefold()}\0{address}"
    return hashlib.sha256(both.encode()).hexdigest(), hashlib.sha256(address.encode()).hexdigest()


def _count(subject: str) -> int:
    cache: Any = caches["default"]  # django-redis, which can expire a key
    cache.add(f"login:failures:{subject}", 0, WINDOW_SECONDS)
    failures = cache.incr(f"login:failures:{subject}")
    wait = wait_after(failures)
    cache.expire(f"login:failures:{subject}", WINDOW_SECONDS + wait)
    is_first_of_its_wait = not wait or cache.add(f"login:wait:{subject}", 1, wait)
    return 0 if is_first_of_its_wait else wait


def start_attempt(subjects: tuple[str, ...]) -> int:
    """Count a login before its password is looked at; it returns the seconds to wait, 0 for none.

    Counting first keeps attempts made side by side from outrunning the count. Without Valkey nobody waits.
    """
    cache: Any = caches["default"]
    try:
        if left := max(cache.ttl(f"login:wait:{subject}") or 0 for subject in subjects):
            return int(left)
        return max([_count(subject) for subject in subjects])
    except RedisError as fault:
        log.warning("logins_not_counted", fault=type(fault).__name__)
        return 0


def forget_failures(subjects: tuple[str, ...]) -> None:
    """Let the subjects of a successful login start from nothing."""
    names = [f"login:{kind}:{subject}" for kind in ("failures", "wait") for subject in subjects]
    try:
        caches["default"].delete_many(names)
    except RedisError as fault:
        log.warning("logins_not_counted", fault=type(fault).__name__)


def _refusal(seconds: int) -> ValidationError:
    wait = f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
    return ValidationError(f"Too many failed logins. Please try again in {wait}.", code="too_many_failures")


class LoginForm(AuthenticationForm):  # type: ignore[misc]  # unfold has no types
    """Unfold's login form; the fifth failure in a row starts a wait, which each further failure doubles."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        if self.errors:
            return dict(self.cleaned_data)
        subjects = _subjects(self.cleaned_data["username"], client_address(self.request.META))
        if wait := start_attempt(subjects):
            log.warning("login_refused", wait_seconds=wait)
            raise _refusal(wait)
        cleaned: dict[str, Any] = super().clean()
        forget_failures(subjects)
        return cleaned
