"""When the feed renews a race, learned from polls of it. PURE, numpy.

A poll that finds news says that the source renewed the race since the poll before. All periods and phases that agree
with the last such spans remain; what they expect in common is when the next refresh comes.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import floor
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PERIODS = np.arange(40.0, 4.0, -0.05)  # seconds, the longest first
FEWEST_SPANS, MOST_SPANS = 5, 8
JITTER_SECONDS = 0.5  # by which a refresh may come late
LEAST_QUIET = 0.65  # of the news, whose poll before found none: a poll that always finds news knows no beat
STAMP_SECONDS = 0.25  # by which a stamp may differ from our clock
FEWEST_OF_HOST, LIKE_HOST = 3, 0.1  # races with a beat; share of the period


class Poll(NamedTuple):
    """A look at a race, in seconds of one clock: asked for, in hand; and the time stamp of the answer."""

    asked: float
    at: float
    is_news: bool
    stamp: float


class Beat(NamedTuple):
    """A refresh is expected between two instants, and the next ones a period after the other."""

    earliest: float
    latest: float
    period: float

    @property
    def expected_at(self) -> float:
        return (self.earliest + self.latest) / 2


def beat_of(polls: Sequence[Poll]) -> Beat | None:
    """Return when the refresh after the last news of a race comes; None while that is unclear, or if it did not come.

    `polls` are the last ones, oldest first. Where all spans agree on no period, the newest ones that do count.
    """
    pairs = list(pairwise(polls))
    news = [(before, poll) for before, poll in pairs if poll.is_news]
    spans = _spans(news, knows_stamps=_stamps_refreshes(pairs))
    is_after_quiet = np.array([not before.is_news for before, _ in news])
    for count in range(min(MOST_SPANS, len(spans)), FEWEST_SPANS - 1, -1):
        if is_after_quiet[-count:].mean() >= LEAST_QUIET and (beat := _agreed(spans[-count:])):
            return beat if polls[-1].asked <= beat.latest else None
    return None


def upcoming(beat: Beat, at: float) -> Beat:
    """Return the first expected refresh that does not lie before `at`."""
    steps = max(0, floor((at - beat.latest) / beat.period) + 1)
    ahead = steps * beat.period
    return Beat(beat.earliest + ahead, beat.latest + ahead, beat.period)


def like_host(beats: Mapping[str, Beat]) -> dict[str, Beat]:
    """Return the beats of races whose period is about the host's: the median of all, if three or more are known."""
    host = median(beat.period for beat in beats.values()) if len(beats) >= FEWEST_OF_HOST else None
    return {
        race_id: beat for race_id, beat in beats.items() if host is None or abs(beat.period - host) <= LIKE_HOST * host
    }


def _spans(news: Sequence[tuple[Poll, Poll]], *, knows_stamps: bool) -> NDArray[np.float64]:
    """Return (news, 2): each refresh came after the poll before the news was asked for, and by the news."""
    slack = STAMP_SECONDS if knows_stamps else np.inf
    bounds = [np.clip((poll.stamp - slack, poll.stamp + slack), before.asked, poll.at) for before, poll in news]
    return np.array(bounds).reshape(-1, 2)


def _stamps_refreshes(pairs: Sequence[tuple[Poll, Poll]]) -> bool:
    """Tell whether the source sends the same stamp until it has news, and by our clock; most stamp each answer anew."""
    are_repeated = [before.stamp == poll.stamp for before, poll in pairs if not poll.is_news]
    news = [(poll.stamp - before.asked, poll.at - poll.stamp) for before, poll in pairs if poll.is_news]
    return bool(are_repeated) and all(are_repeated) and all(min(each) >= -STAMP_SECONDS for each in news)


def _agreed(spans: NDArray[np.float64]) -> Beat | None:
    """Return what all spans, (spans, 2), agree on, by the longest periods: each also fits as its half.

    A refresh without news may lie between spans, but not between the last three.
    """
    after, until = spans.T
    narrow = int((until - after).argmin())
    steps = np.floor((until - after[narrow]) / PERIODS[:, None])  # what a poll sees is the last refresh before it
    earliest = (after - steps * PERIODS[:, None]).max(1) - JITTER_SECONDS
    latest = (until - steps * PERIODS[:, None]).min(1)
    apart = np.diff(steps)
    fits = (earliest <= latest) & (apart >= 1).all(1) & (apart[:, -2:] == 1).all(1)
    if not fits.any():
        return None
    first = int(fits.argmax())
    kept = slice(first, first + int(np.append(~fits[first:], True).argmax()))
    ahead = (steps[kept, -1] + 1) * PERIODS[kept]
    return Beat(
        float((earliest[kept] + ahead).min()),
        float((latest[kept] + ahead).max()) + JITTER_SECONDS,
        float(PERIODS[kept].mean()),
    )
