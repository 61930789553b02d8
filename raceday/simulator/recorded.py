"""Recorded answers of the real feed, served byte for byte from a folder."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from raceday.simulator.envelope import ROOT, Answer, RefusedError, Request, refusal

LISTS = {"meetings-list-response.json": f"{ROOT}/meetings", "races-list-response.json": f"{ROOT}/list"}


def recorded(folder: Path) -> Callable[[Request, datetime], Answer]:
    """Serve events/*.json, race-event-*.json, meeting-detail-*.json and the two lists of a folder.

    Events and meetings answer at their own ids, whatever flags a request has. Anything else is the feed's 404.
    FileNotFoundError if the folder has none of these files.
    """
    bodies = {path: (folder / name).read_bytes() for name, path in LISTS.items() if (folder / name).exists()}
    for file in sorted([*folder.glob("events/*.json"), *folder.glob("race-event-*.json")]):
        body = file.read_bytes()
        bodies[f"{ROOT}/events/{msgspec.json.decode(body)['data']['race']['event_id']}"] = body
    for file in sorted(folder.glob("meeting-detail-*.json")):
        body = file.read_bytes()
        bodies[f"{ROOT}/meetings/{msgspec.json.decode(body)['data']['meetings'][0]['meeting']}"] = body
    if not bodies:
        raise FileNotFoundError(f"{folder} holds no recorded answers")

    def answer(request: Request, now: datetime) -> Answer:
        if body := bodies.get(request.path.rstrip("/")):
            return Answer(200, body)
        return refusal("Affiliates API", request, now, RefusedError(404, "NOT_FOUND", "404 page not found"))

    return answer
