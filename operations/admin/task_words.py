"""Tasks and clusters in words: what each is for, and when it runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django_q.models import Task

from races.names import race_names


@dataclass(frozen=True, slots=True)
class Duty:
    """A kind of task: its name, what each does, and when."""

    kind: str
    purpose: str
    runs: str


DAILY = "moneyflow.tasks.daily"
DUTIES = {
    DAILY: Duty(
        "Daily work",
        "Imports the day's card, creates and detaches partitions, deletes old poll runs.",
        "at 00:00 and 06:00 NZ, when a poller takes over, and each minute until the card is there",
    ),
    "moneyflow.tasks.reconcile": Duty(
        "Reconcile",
        "Reads the day's ended races again and repairs what the feed has changed since, some in each task.",
        "at 21:00 NZ, each ten minutes after it for races without an answer, and when a poller takes over",
    ),
    "moneyflow.tasks.import_day": Duty(
        "Import", "Fetches the meetings and races of one racing day.", "when staff ask for it"
    ),
    "moneyflow.tasks.poll_now": Duty("Poll", "Fetches and stores one race, out of turn.", "when staff ask for it"),
    "moneyflow.tasks.send_alerts": Duty(
        "Deliveries", "Sends late-money alerts to webhooks.", "when an alert was raised"
    ),
    "moneyflow.tasks.calibrate": Duty(
        "Calibration", "Scores the races that ended, and calibrates late-money alerts.", "after the daily work"
    ),
    "moneyflow.publishing.warm": Duty(
        "Cache warming", "Prepares today's missing or outdated responses.", "when staff ask for it"
    ),
    "raceday.queue.cluster.show_life": Duty(
        "Sign of life", "Shows that a cluster does its tasks.", "every 3 s on default"
    ),
}
CLUSTERS = {
    "control": "Polls the feed. Two run: one polls, the other stands by.",
    "write-0": "Stores the feed's answers, for half of the races.",
    "write-1": "Stores the feed's answers, for the other half.",
    "publish": "Prepares the responses that changed, and informs the streams.",
    "default": "Imports, daily work, and what staff ask for.",
}


def describe(tasks: Iterable[tuple[str, Sequence[Any]]]) -> list[str]:
    """Say what tasks do, each a (function, arguments): `Poll of R5 Ellerslie 14:35 · Kowhai Stakes`. One query."""
    known = [(function, str(args[0]).removeprefix("race:") if args else "") for function, args in tasks]
    names = race_names(about for _, about in known)
    return [_describe(function, names.get(about, about)) for function, about in known]


def _describe(function: str, about: str) -> str:
    kind = DUTIES[function].kind if function in DUTIES else function
    return f"{kind} of {about}" if about else kind


def describe_tasks(tasks: Iterable[Task]) -> list[str]:
    return describe((task.func, task.args or ()) for task in tasks)
