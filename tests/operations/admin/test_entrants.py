"""An entrant's page: its readings and prices, and the ways between it and its race."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from operations.admin.entrants import ROWS_SHOWN
from races.models import Race
from tests.support.card import POLLED, add_money, add_odds, make_entrant
from tests.support.staff import add_share, race_url

pytestmark = pytest.mark.django_db


def entrant_url(pk: str) -> str:
    return reverse("admin:races_entrant_change", args=[pk])


def test_race_and_entrant_lead_to_each_other(reader: Client, race: Race) -> None:
    entrant = make_entrant(race, 1)
    assert entrant_url(entrant.pk) in reader.get(race_url(race)).content.decode()
    assert race_url(race) in reader.get(entrant_url(entrant.pk)).content.decode()


def test_an_entrant_shows_its_readings_and_prices_newest_first_and_nobody_elses(reader: Client, race: Race) -> None:
    mine, other = make_entrant(race, 1), make_entrant(race, 2)
    add_share(race, mine.pk, 0, "40.0000")
    add_share(race, mine.pk, 1, "45.0000")
    add_share(race, other.pk, 0, "60.0000")
    add_odds(mine, POLLED, "3.20")
    add_odds(mine, POLLED + timedelta(seconds=1), "3.40", "pool_win")
    page = reader.get(entrant_url(mine.pk))
    money, odds = page.context["tables"]
    assert [row[4:6] for row in money.rows] == [["45.00\xa0%", "$9,151.38"], ["40.00\xa0%", "$9,151.38"]]
    assert [row[1:] for row in odds.rows] == [["Pool Win", "3.40"], ["Fixed Win", "3.20"]]
    assert [line.last for line in page.context["chart"].lines] == [45.0]
    assert page.context["older"] is None


def test_readings_that_are_not_known_are_a_dash(reader: Client, race: Race) -> None:
    entrant = make_entrant(race, 1)
    add_money(entrant, POLLED, None)
    page = reader.get(entrant_url(entrant.pk))
    assert page.context["tables"][0].rows[0][3:] == ["–"] * 7
    assert b"No readings yet." in page.content  # no share to draw


def test_older_readings_are_a_page_further(
    reader: Client, race: Race, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entrant = make_entrant(race, 1, fixed_win_odds=Decimal("3.20"))
    for second in range(ROWS_SHOWN + 5):
        add_money(entrant, POLLED - timedelta(seconds=second), second)
    url = entrant_url(entrant.pk)
    with django_assert_max_num_queries(8):
        first = reader.get(url)
    assert len(first.context["tables"][0].rows) == ROWS_SHOWN
    second_page = reader.get(url, {"until": first.context["older"]})
    shown = [row[5] for row in second_page.context["tables"][0].rows]
    assert shown == ["$0.99", "$1.00", "$1.01", "$1.02", "$1.03", "$1.04"]
    assert f'href="{url}">Newest</a>' in second_page.content.decode()


@pytest.mark.parametrize("until", ["nonsense", "2026-13-45T00:00:00Z", "2026-11-21T00:00:00"])
def test_an_instant_that_cannot_be_read_shows_the_newest(reader: Client, race: Race, until: str) -> None:
    entrant = make_entrant(race, 1)
    add_money(entrant, POLLED, 100)
    assert len(reader.get(entrant_url(entrant.pk), {"until": until}).context["tables"][0].rows) == 1
