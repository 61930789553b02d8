"""The admin as staff meet it: what everyone of them sees, what only those with the change right can do."""

import gzip
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django_q.models import Failure, Success, Task
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from raceday import clock
from raceday.models import FeedPayload, PollRun
from raceday.racing_day import racing_day
from races.models import Race, RacePool, RaceResult
from tests.support.card import POLLED, make_entrant, make_meeting, make_race
from tests.support.staff import FAILURES, RACES, act, add_share, make_failure, race_url

pytestmark = pytest.mark.django_db
PAGES = [
    "index", "meetings_meeting_changelist", "races_race_changelist", "races_entrant_changelist",
    "raceday_pollrun_changelist", "raceday_feedpayload_changelist", "queues", "django_q_failure_changelist",
    "django_q_success_changelist",
]  # fmt: skip
STAFF_PAGES = [
    "accounts_user_changelist",
    "auth_group_changelist",
    "accounts_accesstoken_changelist",
    "admin_logentry_changelist",
]


@pytest.mark.parametrize("page", [*PAGES, *STAFF_PAGES, "accounts_user_add"])
def test_every_page_answers_a_superuser(admin_client: Client, race: Race, page: str) -> None:
    make_failure()
    assert admin_client.get(reverse(f"admin:{page}")).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_staff_without_rights_see_the_pages_of_the_machine(reader: Client, race: Race, page: str) -> None:
    make_failure()
    assert reader.get(reverse(f"admin:{page}")).status_code == 200


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_staff_without_rights_do_not_see_the_pages_about_staff(reader: Client, page: str) -> None:
    assert reader.get(reverse(f"admin:{page}")).status_code == 403


def test_the_sidebar_leads_only_where_the_user_may_go(reader: Client) -> None:
    groups = {
        group["title"]: group["items"] for group in reader.get(reverse("admin:index")).context["sidebar_navigation"]
    }
    assert [page["title"] for page in groups["Tasks"]] == ["Tasks and queues", "Failed tasks", "Finished tasks"]
    assert groups["Staff"] == []


@pytest.mark.parametrize("page", PAGES)
def test_visitors_are_sent_to_the_login(client: Client, page: str) -> None:
    assert "/admin/login/" in client.get(reverse(f"admin:{page}")).headers["Location"]


def test_a_race_shows_its_entrants_money_chart_result_and_polls(reader: Client, race: Race) -> None:
    one, two = (make_entrant(race, number) for number in (1, 2))
    for number, share in enumerate(["40.0000", "45.0000"]):
        add_share(race, one.pk, number, share)
    add_share(race, two.pk, 0, "60.0000")
    RacePool.objects.create(race=race, win_pool_total=Decimal("9151.38"), last_updated=POLLED)
    placing = {"position": 1, "runner_number": 2, "name": "Horse 2"}
    RaceResult.objects.create(race=race, results=[placing], dividends=[], result_status="final", result_time=POLLED)
    PollRun.objects.create(race_id=race.pk, polled_at=POLLED, outcome="feed_error", reason="no answer in 4 s")
    page = reader.get(race_url(race))
    for shown in ("1 Horse 1", "45.00", "60.00", "$9,151.38", "Result: Final", "Horse 2", "no answer in 4 s"):
        assert shown in page.content.decode()
    assert "40.00" not in page.content.decode()  # only the newest reading
    assert len(page.context["chart"].lines) == 2


def test_a_race_leads_to_its_page_and_to_the_api(reader: Client, race: Race) -> None:
    page = reader.get(reverse("admin:races_race_change", args=[race.pk])).content.decode()
    assert f'href="/races/{race.pk}">Page</a>' in page
    assert f'href="/api/races/{race.pk}/live">API</a>' in page


def test_dividends_are_sorted_with_the_final_ones_first_and_money_has_one_format(reader: Client, race: Race) -> None:
    def paid(product: str, status: str, *runners: int) -> dict[str, Any]:
        positions = [{"position": place, "runner_number": runner} for place, runner in enumerate(runners, 1)]
        return {"product_name": product, "status": status, "dividend": 1362.5, "pool_size": 12345.6} | {
            "positions": positions
        }

    dividends = [
        paid("Pool Quinella", "Interim", 2, 1),
        paid("Pool Trifecta", "Final", 2, 1, 3),
        paid("Pool Win", "Final", 2),
        {"product_name": "Pool Place", "status": "Final"},
    ]
    RaceResult.objects.create(race=race, results=[], dividends=dividends, result_status="final", result_time=POLLED)
    (table,) = [table for table in reader.get(race_url(race)).context["tables"] if table.title == "Dividends"]
    assert [row[:3] for row in table.rows] == [
        ["Pool Win", "Final", "2"],
        ["Pool Place", "Final", ""],
        ["Pool Trifecta", "Final", "2, 1, 3"],
        ["Pool Quinella", "Interim", "2, 1"],
    ]
    assert [row[3:] for row in table.rows[:2]] == [["$1,362.50", "$12,345.60"], ["–", "–"]]


def test_a_race_without_any_reading_says_so(reader: Client, race: Race) -> None:
    assert b"No readings yet." in reader.get(race_url(race)).content


def test_the_queries_of_a_race_page_do_not_grow_with_the_race(
    reader: Client, race: Race, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(1, 21):
        entrant = make_entrant(race, number)
        add_share(race, entrant.pk, number, "5.0000")
        PollRun.objects.create(race_id=race.pk, polled_at=POLLED + timedelta(seconds=number), outcome="changed")
    ContentType.objects.get_for_model(Race)  # which a process asks once
    with django_assert_max_num_queries(10):
        reader.get(race_url(race))


def test_the_list_of_races_takes_as_many_queries_for_ten_races_as_for_one(
    reader: Client, race: Race, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(2, 11):
        make_race(race.meeting, race_id=f"{race.pk}-{number}")
    with django_assert_max_num_queries(9):
        page = reader.get(reverse(RACES), {"day": "any"})
    assert page.context["cl"].result_count == 10


def test_the_list_of_races_opens_on_the_racing_day_it_is(reader: Client, race: Race) -> None:
    today = racing_day(clock.now())
    make_race(race.meeting, race_id=f"{race.pk}-2")
    Race.objects.filter(pk=race.pk).update(race_date_nz=today - timedelta(days=1))
    Race.objects.exclude(pk=race.pk).update(race_date_nz=today)
    assert [found.pk for found in reader.get(reverse(RACES)).context["cl"].result_list] == [f"{race.pk}-2"]
    yesterday = reader.get(reverse(RACES), {"day": "yesterday"})
    assert [found.pk for found in yesterday.context["cl"].result_list] == [race.pk]


def test_what_the_feed_owns_is_edited_by_nobody(admin_client: Client, race: Race) -> None:
    assert admin_client.post(race_url(race), {"name": "Another"}).status_code == 403
    assert admin_client.get(reverse("admin:races_race_add")).status_code == 403
    assert admin_client.post(reverse("admin:races_race_delete", args=[race.pk]), {"post": "yes"}).status_code == 403
    race.refresh_from_db()
    assert race.name == "Maiden"


def test_poll_now_queues_a_task_for_the_race(admin_client: Client, race: Race, queued: Any) -> None:
    answer = act(admin_client, f"{reverse(RACES)}?day=any", "poll_now", race.pk)
    assert [task["func"] for task in queued(race.pk)] == ["moneyflow.tasks.poll_now"]
    assert answer.request["PATH_INFO"] == race_url(race)
    assert b"Queued: 1 poll." in answer.content
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr, entry.change_message) == (race.pk, str(race), "Asked for a poll.")


def test_import_is_queued_once_for_the_day_of_the_chosen_meetings(
    admin_client: Client, race: Race, queued: Any
) -> None:
    day = race.meeting.date + timedelta(days=40_000)  # a day no other test imports
    meetings = [make_meeting(meeting_id=f"{race.meeting_id}-{number}", date=day) for number in (1, 2)]
    url = f"{reverse('admin:meetings_meeting_changelist')}?day=any"
    act(admin_client, url, "reimport_day", *(meeting.pk for meeting in meetings))
    assert [task["func"] for task in queued(day.isoformat())] == ["moneyflow.tasks.import_day"]
    assert {entry.object_id for entry in LogEntry.objects.all()} == {meeting.pk for meeting in meetings}


def test_staff_without_the_change_right_cannot_act(reader: Client, race: Race, queued: Any) -> None:
    assert b"Poll now" not in reader.get(race_url(race)).content
    act(reader, f"{reverse(RACES)}?day=any", "poll_now", race.pk)
    assert queued(race.pk) == []
    failure = make_failure(args=(race.pk,))
    act(reader, reverse(FAILURES), "try_again", failure.pk)
    assert Failure.objects.filter(pk=failure.pk).exists()


def test_staff_with_the_change_right_may_act_and_still_not_edit(reader: Client, race: Race, queued: Any) -> None:
    User.objects.get(username="reader").user_permissions.add(Permission.objects.get(codename="change_race"))
    assert b"Poll now" in reader.get(race_url(race)).content
    act(reader, f"{reverse(RACES)}?day=any", "poll_now", race.pk)
    assert len(queued(race.pk)) == 1
    assert reader.post(race_url(race), {"name": "Another"}).status_code == 403


def test_an_unreachable_queue_is_told_and_nothing_breaks(admin_client: Client, race: Race, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nothing listens there
    assert b"Valkey cannot be reached" in act(admin_client, f"{reverse(RACES)}?day=any", "poll_now", race.pk).content
    assert not LogEntry.objects.exists()
    failure = make_failure()
    assert b"Valkey cannot be reached" in act(admin_client, reverse(FAILURES), "try_again", failure.pk).content
    assert Failure.objects.filter(pk=failure.pk).exists()
    assert b"Valkey cannot be reached" in admin_client.get(reverse("admin:queues")).content


def test_retry_queues_the_same_task_and_forgets_the_failure(admin_client: Client, queued: Any) -> None:
    argument = uuid4().hex
    failure = make_failure(args=(argument, 7), kwargs={"deep": True}, group="polls")
    act(admin_client, reverse(FAILURES), "try_again", failure.pk)
    (task,) = queued(argument)
    assert (task["func"], task["args"], task["kwargs"]) == ("moneyflow.tasks.poll_now", (argument, 7), {"deep": True})
    assert (task["group"], task["name"]) == ("polls", "one")
    assert not Task.objects.filter(pk=failure.pk).exists()


def test_a_failed_task_shows_its_traceback_as_text(reader: Client) -> None:
    failure = make_failure(result="<b>boom</b> : Traceback (most recent call last)")
    page = reader.get(reverse("admin:django_q_failure_change", args=[failure.pk]))
    assert b"&lt;b&gt;boom&lt;/b&gt; : Traceback" in page.content
    assert Success.objects.count() == 0


def test_poll_runs_are_found_by_outcome_reason_and_time(reader: Client) -> None:
    at = clock.now()
    old = PollRun.objects.create(polled_at=at - timedelta(hours=2), outcome="parse_error", reason="$.data.race")
    new = PollRun.objects.create(polled_at=at, outcome="changed")
    for query, expected in [
        ({}, [new, old]),
        ({"outcome__exact": "parse_error"}, [old]),
        ({"q": "data.race"}, [old]),
        ({"within": "60"}, [new]),
        ({"within": "nonsense"}, [new, old]),
    ]:
        page = reader.get(reverse("admin:raceday_pollrun_changelist"), query)
        assert list(page.context["cl"].result_list) == expected


@pytest.mark.parametrize(
    ("body", "encoding", "shown"),
    [
        (gzip.compress(b'{"a": "<b>"}', mtime=0), "gzip", "{&quot;a&quot;: &quot;&lt;b&gt;&quot;}"),
        (b'{"a": 1}', "identity", "{&quot;a&quot;: 1}"),
        (gzip.compress(b"half an answer" * 100, mtime=0)[:-20], "gzip", "half an answer"),
        (b"not gzip", "gzip", "not readable as gzip"),
        (b"\xff\xfe", "identity", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_an_unreadable_answer_is_shown_as_text(reader: Client, body: bytes, encoding: str, shown: str) -> None:
    run = PollRun.objects.create(polled_at=POLLED, outcome="parse_error")
    FeedPayload.objects.create(poll_run=run, body=body, encoding=encoding)
    page = reader.get(reverse("admin:raceday_feedpayload_change", args=[run.pk]))
    assert shown in page.content.decode()


def test_of_a_large_answer_only_the_first_64_kib_are_unpacked(reader: Client) -> None:
    run = PollRun.objects.create(polled_at=POLLED, outcome="parse_error")
    FeedPayload.objects.create(poll_run=run, body=gzip.compress(b"x" * 10_000_000), encoding="gzip")
    page = reader.get(reverse("admin:raceday_feedpayload_change", args=[run.pk]))
    assert 65_536 <= page.content.count(b"x") < 67_000
