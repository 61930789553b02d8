"""The simulated racing days."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from statistics import mean

from hypothesis import given, settings
from hypothesis import strategies as st

from raceday.racing_day import NZ, racing_day
from raceday.simulator.day import Race, Simulation, card_of, find_race

STARTED = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
DAY = racing_day(STARTED)
SIMULATION = Simulation(seed="days", first_start=STARTED)


def races_of(simulation: Simulation, days: int = 1) -> list[Race]:
    first = racing_day(simulation.first_start)
    cards = [card_of(simulation, first + timedelta(days=offset)) for offset in range(days)]
    races = [race for card in cards for meeting in card for race in meeting.races]
    return sorted(races, key=lambda race: race.plan.advertised_at)


def test_a_day_has_all_three_codes_in_both_countries() -> None:
    card = card_of(SIMULATION, DAY)
    assert {(meeting.code, meeting.country) for meeting in card} == {(c, n) for c in "THG" for n in ("NZ", "AUS")}
    assert all(8 <= len(meeting.races) <= 12 for meeting in card)
    assert all([race.number for race in meeting.races] == [*range(1, len(meeting.races) + 1)] for meeting in card)


def test_fields_have_the_sizes_of_their_code() -> None:
    for meeting in card_of(SIMULATION, DAY):
        sizes = {len(race.runners) for race in meeting.races}
        assert sizes <= set(range(7, 9 if meeting.code == "G" else 17))


def test_a_race_starts_about_every_five_minutes_for_about_five_hours() -> None:
    starts = [race.plan.advertised_at for race in races_of(SIMULATION)]
    assert {later - sooner for sooner, later in pairwise(starts)} <= {300, 360}
    assert 4 * 3600 < starts[-1] - starts[0] < 6.5 * 3600


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
@settings(max_examples=30)
def test_the_first_race_closes_two_minutes_after_the_start_whenever_that_is(first_start: datetime) -> None:
    first = races_of(Simulation(seed="any", first_start=first_start))[0].plan
    assert 115 <= first.closes_at - first_start.timestamp() <= 125
    assert 0 < first.closes_at - first.advertised_at < 90
    assert first.advertised_at % 60 == 0
    assert 90 <= first.interim_at - first.closes_at <= 120
    assert 50 <= first.final_at - first.interim_at <= 65
    assert (first.abandoned_at, first.scratchings) == (None, ())


def test_later_days_have_their_own_cards_from_half_past_eleven_in_new_zealand() -> None:
    later = card_of(SIMULATION, DAY + timedelta(days=1))
    starts = [race.plan.advertised_at for meeting in later for race in meeting.races]
    assert datetime.fromtimestamp(min(starts), NZ).time() == time(11, 30)
    today = {meeting.meeting_id for meeting in card_of(SIMULATION, DAY)}
    assert today.isdisjoint(meeting.meeting_id for meeting in later)


def test_nothing_ran_before_the_day_the_simulation_began() -> None:
    assert card_of(SIMULATION, DAY - timedelta(days=1)) == ()


def test_a_restarted_simulator_continues_the_same_day() -> None:
    card_of.cache_clear()
    before = [(race.race_id, race.plan, race.runners) for race in races_of(SIMULATION)]
    card_of.cache_clear()
    assert before == [(race.race_id, race.plan, race.runners) for race in races_of(SIMULATION)]


def test_another_seed_is_another_day() -> None:
    other = Simulation(seed="other", first_start=STARTED)
    assert {race.race_id for race in races_of(SIMULATION)}.isdisjoint(race.race_id for race in races_of(other))


def test_every_race_and_entrant_has_an_id_of_its_own() -> None:
    races = races_of(SIMULATION, days=7)
    entrants = [runner.entrant_id for race in races for runner in race.runners]
    assert len({race.race_id for race in races}) == len(races)
    assert len(set(entrants)) == len(entrants)


def test_a_race_of_last_week_is_found_by_its_id() -> None:
    race = races_of(SIMULATION)[5]
    found = find_race(SIMULATION, race.race_id, DAY + timedelta(days=7))
    assert found is not None
    assert found[1].race_id == race.race_id
    assert find_race(SIMULATION, "no-such-race", DAY) is None


def test_abandonments_scratchings_and_informed_races_have_their_shares() -> None:
    races = races_of(SIMULATION, days=25)
    assert 0.01 < mean(race.plan.abandoned_at is not None for race in races) < 0.035
    assert 0.2 < mean(race.plan.informed_share is not None for race in races) < 0.3
    runners = sum(len(race.runners) for race in races)
    out = [each for race in races for each in race.plan.scratchings]
    assert 0.03 < len(out) / runners < 0.05
    assert 0.4 < mean(each.is_late for each in out) < 0.6
    assert all(len(race.runners) - len(race.plan.scratchings) >= 6 for race in races)
