"""PURE: the events that lead from one live body to the next, and how a client applies them."""

from collections.abc import Mapping, Sequence
from typing import Any

STAMPS = frozenset({"updated_at", "last_updated"})  # alone they are no news
HOLD = "hold_percentage"
WHOLE = ("pools", "results", "navigation", "silent_because")  # told whole
Body = Mapping[str, Any]
Event = tuple[str, dict[str, Any]]


def deltas(before: Body | None, after: Body) -> list[Event]:
    """Return (kind, data) for each kind of news between two bodies of `/api/races/{id}/live`.

    Kinds are alert, status, pool and odds; each alert that is new or has news is an event. Values are absolute and only
    those that changed; each data has race_id and polled_at. If nothing was known before, if there are other entrants,
    or if an alert is gone, the only event is ("snapshot", after). One worked: a win price that moves to 3.4 is
    ("odds", {race_id, polled_at, "entrants": [{"entrant_id": …, "fixed_win_odds": 3.4}]}).
    """
    if before is None or _ids(before) != _ids(after) or not _go_on(before["alerts"], after["alerts"]):
        return [("snapshot", dict(after))]
    whose = {"race_id": after["race"]["race_id"], "polled_at": after["freshness"]["polled_at"]}
    news = [
        *(("alert", {"alert": alert}) for alert in after["alerts"] if alert not in before["alerts"]),
        *(("status", _status(before, after)), ("pool", _pool(before, after)), ("odds", _odds(before, after))),
    ]
    return [(kind, whose | data) for kind, data in news if data]


def apply(body: Body, kind: str, data: Body) -> Body:
    """Return the body as it reads after one event; stamps that came without news stay."""
    if kind == "snapshot":
        return data
    changed: dict[str, Any] = {name: {**body[name], **data[name]} for name in ("race", "meeting") if name in data}
    changed |= {name: data[name] for name in WHOLE if name in data}
    if "alert" in data:
        news = {_key(alert): alert for alert in [*body["alerts"], data["alert"]]}
        changed["alerts"] = list(news.values())
    if "entrants" in data:
        news = {entrant["entrant_id"]: entrant for entrant in data["entrants"]}
        changed["entrants"] = [{**entrant, **news.get(entrant["entrant_id"], {})} for entrant in body["entrants"]]
    polled = {"freshness": {**body["freshness"], "polled_at": data["polled_at"]}} if "polled_at" in data else {}
    whole = {**body, **changed, **polled}
    return {name: value for name, value in whole.items() if name != "results" or value is not None}


def _ids(body: Body) -> list[str]:
    return [entrant["entrant_id"] for entrant in body["entrants"]]


def _key(alert: Body) -> tuple[str, int]:
    return alert["entrant_id"], alert["severity"]


def _go_on(before: Sequence[Body], after: Sequence[Body]) -> bool:
    """Tell whether alerts only had news and got more: an alert is never taken back, and new ones come last."""
    return [_key(alert) for alert in before] == [_key(alert) for alert in after[: len(before)]]


def _status(before: Body, after: Body) -> dict[str, Any]:
    news: dict[str, Any] = {name: _changed(before[name], after[name]) for name in ("race", "meeting")}
    if _is_news(before.get("results"), after.get("results")):
        news["results"] = after.get("results")  # null: they were taken back
    news |= {name: after[name] for name in ("navigation", "silent_because") if before[name] != after[name]}
    return {name: value for name, value in news.items() if value or name in {"results", "silent_because"}}


def _pool(before: Body, after: Body) -> dict[str, Any]:
    holds = [
        {"entrant_id": new["entrant_id"], HOLD: new[HOLD]}
        for old, new in zip(before["entrants"], after["entrants"], strict=True)
        if old[HOLD] != new[HOLD]
    ]
    pools = {"pools": after["pools"]} if _is_news(before["pools"], after["pools"]) else {}
    return pools | ({"entrants": holds} if holds else {})


def _odds(before: Body, after: Body) -> dict[str, Any]:
    entrants = [
        {"entrant_id": new["entrant_id"], **news}
        for old, new in zip(before["entrants"], after["entrants"], strict=True)
        if (news := _changed({**old, HOLD: new[HOLD]}, new))
    ]
    return {"entrants": entrants} if entrants else {}


def _changed(before: Body, after: Body) -> dict[str, Any]:
    """Return the fields that differ; none if only time stamps do."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return changed if changed.keys() - STAMPS else {}


def _is_news(before: Body | None, after: Body | None) -> bool:
    return before != after if before is None or after is None else bool(_changed(before, after))
