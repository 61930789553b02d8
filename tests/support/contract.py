"""The bodies of the client API as its contract has them: which fields, of which kind, and where null is allowed."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

Check = Callable[[Any, str], None]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d+)\+1[23]:00")
NZ = ZoneInfo("Pacific/Auckland")


class WrongFieldError(AssertionError):
    """An answer that is not as the contract has it; says where."""


def expect(is_so: object, at: str, found: object) -> None:
    """Raise WrongFieldError unless `is_so`."""
    if not is_so:
        raise WrongFieldError(f"{at}: {found!r}")


# ── What a field may hold ───────────────────────────────────────────────────────────────────────
def text(value: Any, at: str) -> None:
    expect(type(value) is str and value, at, value)


def whole(value: Any, at: str) -> None:
    expect(type(value) is int, at, value)


def number(value: Any, at: str) -> None:
    expect(type(value) in {int, float}, at, value)


def yes_no(value: Any, at: str) -> None:
    expect(type(value) is bool, at, value)


def day(value: Any, at: str) -> None:
    expect(type(value) is str and str(date.fromisoformat(value)) == value, at, value)


def instant(value: Any, at: str, *, decimals: int = 3) -> None:
    """An instant of New Zealand's clock, with the offset that is in force there on that day."""
    match = INSTANT.fullmatch(value) if type(value) is str else None
    expect(match and len(match[1]) == decimals, at, value)
    told = datetime.fromisoformat(value)
    expect(told.utcoffset() == told.astimezone(NZ).utcoffset(), at, value)


def exact_instant(value: Any, at: str) -> None:
    """What to continue from tells microseconds, or the newest documents would come again and again."""
    instant(value, at, decimals=6)


def maybe(check: Check) -> Check:
    return lambda value, at: None if value is None else check(value, at)


def one_of(*words: Any) -> Check:
    return lambda value, at: expect(value in words, at, value)


def rows(check: Check) -> Check:
    def look(value: Any, at: str) -> None:
        expect(type(value) is list, at, value)
        for index, row in enumerate(value):
            check(row, f"{at}[{index}]")

    return look


def body(fields: Mapping[str, Check], *, optional: Mapping[str, Check] | None = None, is_open: bool = False) -> Check:
    """An object with these fields; others only where the contract leaves their number open."""
    known = {**fields, **(optional or {})}

    def look(value: Any, at: str) -> None:
        expect(type(value) is dict, at, value)
        expect(fields.keys() <= value.keys(), at, f"lacks {fields.keys() - value.keys()}")
        expect(is_open or value.keys() <= known.keys(), at, f"has {value.keys() - known.keys()} too")
        for name in value.keys() & known.keys():
            known[name](value[name], f"{at}.{name}")

    return look


def by_runner(check: Check) -> Check:
    def look(value: Any, at: str) -> None:
        expect(type(value) is dict and all(name.isdecimal() for name in value), at, value)
        for name, row in value.items():
            check(row, f"{at}.{name}")

    return look


def fields(names: str, check: Check) -> dict[str, Check]:
    return dict.fromkeys(names.split(), check)


# ── The bodies of the contract ──────────────────────────────────────────────────────────────────
ERROR = body({"error": text}, optional={"details": lambda value, at: expect(value, at, value)})
MEETING_FIELDS = {
    **fields("meeting_id meeting_name country race_type status", text),
    "date": day,
    "first_race_time": maybe(instant),
    **fields("track_condition weather", maybe(text)),
}
MEETING = body({**MEETING_FIELDS, **fields("created_at updated_at", instant)})
ROW_FIELDS = {**fields("race_id name status meeting_id", text), "race_number": whole, "start_time": instant}
ROW = body(ROW_FIELDS)
RACE = body(
    {
        **ROW_FIELDS,
        "actual_start": maybe(instant),
        "distance": maybe(whole),
        **fields("track_condition weather", maybe(text)),
        **fields("race_type type", text),
        "runner_count": whole,
        **fields("created_at updated_at", instant),
    }
)
MEETING_RACES = body({"races": rows(ROW), "total": whole, "timestamp": instant})
MEETING_STATUS = body({"isCompleted": yes_no, "totalRaces": whole, "finalizedRaces": whole})
NEIGHBOUR = maybe(body({**fields("race_id name meeting_name", text), "start_time": instant}))
NAVIGATION = body(fields("previousRace nextRace nextScheduledRace", NEIGHBOUR))
WINDOW = body({**fields("lower_bound upper_bound", instant), **fields("window_minutes lookback_minutes", whole)})
UPCOMING_ROW = body({**ROW_FIELDS, **fields("meeting_name country race_type type", text)})
UPCOMING = body({"races": rows(UPCOMING_ROW), "total": whole, "timestamp": instant, "window": WINDOW})
BATCH = body({"races": rows(RACE), "missing": rows(text)})
RUNNER_FIELDS = {
    **fields("entrant_id name", text),
    "runner_number": whole,
    "is_scratched": yes_no,
    **fields("win_odds place_odds hold_percentage weight", maybe(number)),
    **fields("fixed_win_odds fixed_place_odds pool_win_odds pool_place_odds", maybe(number)),
    **fields("jockey trainer_name silk_colours silk_url_64 silk_url_128", maybe(text)),
    "barrier": maybe(whole),
}
PRICE = body({"odds": number, "type": text, "timestamp": instant})
POINT = body({"hold_percentage": maybe(number), "win_pool_amount": maybe(whole), "timestamp": instant})
ENTRANT = body({**RUNNER_FIELDS, "odds_history": rows(PRICE), "money_flow_history": rows(POINT)})
POOL_NAMES = (
    "win_pool_total place_pool_total quinella_pool_total trifecta_pool_total exacta_pool_total first4_pool_total"
)
POOLS = body(
    {
        "race_id": text,
        **fields(f"{POOL_NAMES} total_race_pool data_quality_score", maybe(whole)),
        "currency": one_of("$"),
        "extracted_pools": whole,
        "last_updated": instant,
    }
)
PLACING = body(
    {
        **fields("position runner_number", whole),
        **fields("name entrant_id", text),
        "barrier": maybe(whole),
        "margin_length": maybe(number),
    }
)
DIVIDEND = body(
    {
        **fields("product_name status", text),
        "dividend": number,
        "positions": rows(body(fields("runner_number position", whole), is_open=True)),
        "pool_size": maybe(whole),
        "description": maybe(text),
    }
)
LAST_PRICE = body(
    {**fields("fixed_win_odds fixed_place_odds", maybe(number)), **fields("runner_name entrant_id", text)}
)
RESULTS = body(
    {
        **fields("race_id result_status", text),
        "results_available": yes_no,
        "results_data": rows(PLACING),
        "dividends_data": rows(DIVIDEND),
        "fixed_odds_data": by_runner(LAST_PRICE),
        **fields("photo_finish stewards_inquiry protest_lodged", maybe(yes_no)),
        **fields("result_time created_at updated_at", instant),
    }
)
FRESHNESS = body(
    {
        **fields("polled_at generated_at next_refresh_at", maybe(instant)),
        **fields("feed_age_seconds refresh_seconds feed_refresh_seconds", maybe(number)),
        "is_stale": yes_no,
    }
)
RECORD = body({**fields("settled won", whole), **fields("expected expected_when_raised", maybe(number))})
OUTCOME = body(
    {
        "won": yes_no,
        "placed": maybe(yes_no),
        **fields("final_dividend final_odds final_share_percentage", maybe(number)),
        **fields("final_pool_cents pool_moved_cents", maybe(whole)),
    }
)
LATE_MONEY = body(
    {
        **fields("entrant_id name artefact", text),
        **fields("runner_number severity seconds_since_start window_seconds", whole),
        **fields("raised_at reading_at", instant),
        **fields("seen_cents expected_cents win_pool_cents", whole),
        **fields("share_before_percentage share_after_percentage score one_in_races", number),
        **fields("tote_odds_before tote_odds_after fixed_odds_before fixed_odds_after e_value", maybe(number)),
        "falls": body({}, is_open=True),
        "record": RECORD,
        "outcome": maybe(OUTCOME),
    }
)
LIVE = body(
    {
        "race": RACE,
        "meeting": body(MEETING_FIELDS, is_open=True),
        "entrants": rows(body(RUNNER_FIELDS)),
        "pools": maybe(POOLS),
        "navigation": NAVIGATION,
        "alerts": rows(LATE_MONEY),
        "silent_because": maybe(text),
        "freshness": FRESHNESS,
    },
    optional={"results": RESULTS},
)
COLUMNS = body({"race_id": text, "entrants": rows(body({"entrant_id": text}, is_open=True))}, is_open=True)
AMOUNTS = "incremental_win_amount incremental_place_amount win_pool_amount place_pool_amount"
SHARES_AND_ODDS = (
    "hold_percentage win_pool_percentage place_pool_percentage fixed_win_odds fixed_place_odds pool_win_odds"
    " pool_place_odds"
)
DOCUMENT = body(
    {
        **fields("id race_id entrant_id interval_type", text),
        "type": one_of("bucketed_aggregation"),
        **fields("time_interval time_to_start", number),
        **fields(AMOUNTS, maybe(whole)),
        **fields(SHARES_AND_ODDS, maybe(number)),
        **fields("event_timestamp polling_timestamp created_at", instant),
    }
)
SUMMARY = body(
    {
        **fields("total_documents entrants_covered", whole),
        "intervals_covered": rows(number),
        "critical_period_gaps": rows(lambda value, at: None),
        "coverage_report": text,
    }
)
TIMELINE = body(
    {
        "success": one_of(True),
        "documents": rows(DOCUMENT),
        **fields("total limit", whole),
        "race_id": text,
        "entrant_ids": rows(text),
        "pool_type": one_of("win", "place", "odds"),
        "bucketed_data": yes_no,
        "interval_coverage": body({"summary": SUMMARY, "entrants": rows(body({"entrant_id": text}, is_open=True))}),
        "next_cursor": maybe(text),
        **fields("next_created_at created_after", maybe(exact_instant)),
    },
    optional={"message": text},
)
INDICATOR = body(
    {
        **fields("indicator_id color user_id", text),
        "display_order": one_of(1, 2, 3, 4, 5, 6),
        "percentage_range_min": number,
        "percentage_range_max": maybe(number),
        **fields("is_default enabled audible_alerts_enabled", yes_no),
        "indicator_type": one_of("percentage_range"),
    }
)
ALERT_FIELDS = {"user_id": text, "indicators": rows(INDICATOR), **fields("toggle_all audible_alerts_enabled", yes_no)}
ALERTS, WRITTEN_ALERTS = body(ALERT_FIELDS), body({**ALERT_FIELDS, "success": one_of(True)})
