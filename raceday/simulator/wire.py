"""The feed's endpoints on its exact wire format: header, echoed params, data, and its kind of errors. PURE."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from raceday.racing_day import NZ, racing_day
from raceday.simulator.day import Meeting, Race, Simulation, card_of, find_meeting, find_race
from raceday.simulator.envelope import (
    ROOT,
    Answer,
    RefusedError,
    Request,
    day,
    echoed_day,
    flag,
    header,
    number,
    ok,
    refusal,
)
from raceday.simulator.market import shown_at, status_at
from raceday.simulator.wire_event import event_data
from raceday.simulator.wire_pools import LEGS, Json

MAX_LIMIT = 200
LONGEST_SPAN_DAYS = 31
CATEGORY_NAMES = {"T": "Thoroughbred Horse Racing", "H": "Harness Horse Racing", "G": "Greyhound Racing"}
EVENT_FLAGS = (
    "with_money_tracker",
    "with_tote_trends_data",
    "with_big_bets",
    "with_biggest_bet",
    "with_live_bets",
    "with_will_pays",
)


def answer(simulations: Sequence[Simulation], request: Request, now: datetime) -> Answer:
    """Answer a request as NZ TAB would at `now`: 200, or 400/404 with the reason in the header.

    simulations: those whose racing the feed knows, the newest first.
    """
    place = request.path.removeprefix(ROOT).strip("/").split("/")
    title = TITLES.get(place[0], "Affiliates API")
    try:
        if not request.path.startswith(f"{ROOT}/") or (len(place), place[0]) not in ROOMS:
            raise RefusedError(404, "NOT_FOUND", "404 page not found")
        if request.query.get("enc", "json") != "json":
            raise RefusedError(400, "INVALID_ARGUMENT", f"encoding {request.query['enc']!r} is not simulated")
        return ROOMS[len(place), place[0]](simulations, request, now)
    except RefusedError as refused:
        return refusal(title, request, now, refused)


def _event(simulations: Sequence[Simulation], request: Request, now: datetime) -> Answer:
    race_id = request.path.rsplit("/", 1)[1]
    flags = frozenset(name for name in EVENT_FLAGS if flag(request, name))
    params: Json = {"enc": "json", "id": race_id, "present_overlay": flag(request, "present_overlay")}
    params |= {name: name in flags for name in EVENT_FLAGS if name != "with_will_pays"}
    params |= {"will_pays": "with_will_pays" in flags, "bet_type_filter": request.query.get("bet_type_filter", "")}
    for simulation in simulations:
        if found := find_race(simulation, race_id, racing_day(now)):
            data = event_data(simulation, *found, now.timestamp(), flags)
            return ok(header(f"Event Details: {race_id}", request, now), params | {"bets_limit": 10}, data)
    raise RefusedError(404, "NOT_FOUND", f"event {race_id} not found")


def _meeting(simulations: Sequence[Simulation], request: Request, now: datetime) -> Answer:
    meeting_id = request.path.rsplit("/", 1)[1]
    for simulation in simulations:
        if meeting := find_meeting(simulation, meeting_id, racing_day(now)):
            data = msgspec.json.encode({"meetings": [_card(simulation, meeting, now)]})
            return ok(header(TITLES["meeting"], request, now), {"enc": "json", "id": meeting_id}, data)
    raise RefusedError(404, "NOT_FOUND", f"meeting {meeting_id} not found")


def _meetings(simulations: Sequence[Simulation], request: Request, now: datetime) -> Answer:
    today = racing_day(now)
    first, last = day(request, "date_from", today), day(request, "date_to", today)
    limit, offset = number(request, "limit", 100, MAX_LIMIT), number(request, "offset", 0, 10**9)
    ids = request.query.get("ids")
    params: Json = {
        "enc": "json",
        "ids": ids.split(",") if ids else None,
        "date_from": echoed_day(request, "date_from", first, now),
        "date_to": echoed_day(request, "date_to", last, now),
        "type": request.query.get("category", " "),
        "country": request.query.get("country", " "),
        "limit": limit,
        "offset": offset,
        "futures": flag(request, "futures"),
        "meeting_numbers": None,
    }
    meetings = [
        (simulation, meeting)
        for simulation, meeting in _cards(simulations, first, last)
        if _is_wanted(request.query.get("category"), meeting.code)
        and _is_wanted(request.query.get("country"), meeting.country)
        and _is_wanted(ids, meeting.meeting_id)
    ]
    data = {"meetings": [_card(*found, now) for found in meetings[offset : offset + limit]]}
    return ok(header(TITLES["meetings"], request, now), params, msgspec.json.encode(data))


def _list(simulations: Sequence[Simulation], request: Request, now: datetime) -> Answer:
    today = racing_day(now)
    first, last = day(request, "date_from", today), day(request, "date_to", today)
    limit, order = number(request, "limit", 100, MAX_LIMIT), number(request, "order_by", 1, 1)
    countries, types = request.query.get("countries"), request.query.get("meet_types")
    token = request.query.get("page_token", "")
    params: Json = {
        "enc": "json",
        "limit": limit,
        "countries": countries.split(",") if countries else None,
        "meet_types": types.split(",") if types else None,
        "date_from": f"{first}T00:00:00Z",
        "date_to": f"{last}T23:59:59.999999999Z",
        "order_by": order,
        "page_token": token,
    }
    races = [
        (simulation, meeting, race)
        for simulation, meeting in _cards(simulations, first - timedelta(days=1), last + timedelta(days=1))
        if _is_wanted(countries, meeting.country) and _is_wanted(types, meeting.code)
        for race in meeting.races
        if first <= datetime.fromtimestamp(race.plan.advertised_at, UTC).date() <= last
    ]
    races.sort(key=lambda found: (found[2].plan.advertised_at, found[2].race_id), reverse=not order)
    page = _page(token)
    rows = [_listed(*found, now) for found in races[(page - 1) * limit : page * limit]]
    more = _page_token(page + 1) if len(races) > page * limit else ""
    data: Json = {"races": rows, "next_page_token": more}
    return ok(header(TITLES["list"], request, now), params, msgspec.json.encode(data))


TITLES = {
    "events": "Event Details",
    "meetings": "Race Meetings",
    "meeting": "Get meeting by id",
    "list": "List Races",
}
ROOMS: dict[tuple[int, str], Callable[[Sequence[Simulation], Request, datetime], Answer]] = {
    (1, "meetings"): _meetings,
    (2, "meetings"): _meeting,
    (1, "list"): _list,
    (2, "events"): _event,
}


def _cards(simulations: Sequence[Simulation], first: date, last: date) -> Iterable[tuple[Simulation, Meeting]]:
    if (last - first).days > LONGEST_SPAN_DAYS + 2:
        raise RefusedError(400, "INVALID_ARGUMENT", f"at most {LONGEST_SPAN_DAYS} days can be asked at once")
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return (
        (simulation, meeting) for each in days for simulation in simulations for meeting in card_of(simulation, each)
    )


def _is_wanted(asked: str | None, value: str) -> bool:
    return asked is None or value in asked.split(",")


def _shown_status(simulation: Simulation, race: Race, now: datetime) -> str:
    return status_at(race.plan, shown_at(race.plan, simulation.world, now.timestamp()))


def _listed(simulation: Simulation, meeting: Meeting, race: Race, now: datetime) -> Json:
    started = _shown_status(simulation, race, now) not in ("Open", "Abandoned")
    return {
        "id": race.race_id,
        "name": race.name,
        "number": race.number,
        "meeting_id": meeting.meeting_id,
        "advertised_start": _instant(race.plan.advertised_at),
        "actual_start": _instant(race.plan.closes_at if started else race.plan.advertised_at),
    }


def _card(simulation: Simulation, meeting: Meeting, now: datetime) -> Json:
    count = len(meeting.races)
    return {
        "meeting": meeting.meeting_id,
        "name": meeting.name,
        "date": f"{meeting.date}T00:00:00Z",
        "track_condition": meeting.track_condition,
        "category": meeting.code,
        "category_name": CATEGORY_NAMES[meeting.code],
        "country": meeting.country,
        "state": meeting.state,
        "races": [_carded(simulation, meeting, race, now) for race in meeting.races],
        "video_channels": ["Trackside1"],
        "quaddie": list(range(count - LEGS + 1, count + 1)),
        "early_quaddie": list(range(1, LEGS + 1)),
        "tote_meeting_number": meeting.number,
        "tote_raceday_date": str(meeting.date),
        "tote_status": "Open",
    }


def _carded(simulation: Simulation, meeting: Meeting, race: Race, now: datetime) -> Json:
    start = datetime.fromtimestamp(race.plan.advertised_at, UTC)
    return {
        "id": race.race_id,
        "race_number": race.number,
        "name": race.name,
        "start_time": _instant(race.plan.advertised_at),
        "tote_start_time": f"{start.astimezone(NZ):%H:%M:%S}",
        "track_condition": meeting.track_condition,
        "distance": race.distance,
        "weather": meeting.weather,
        "country": meeting.country,
        "state": meeting.state,
        "status": _shown_status(simulation, race, now),
    }


def _instant(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _page_token(page: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"page_number": page}).encode()).decode().rstrip("=")


def _page(token: str) -> int:
    if not token:
        return 1
    try:
        return max(int(json.loads(base64.urlsafe_b64decode(token + "=="))["page_number"]), 1)
    except (ValueError, TypeError, KeyError):
        raise RefusedError(400, "INVALID_ARGUMENT", "page_token is not one of ours") from None
