"""The client's alert settings: the defaults, what is stored, and what is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from moneyflow.alerts.settings import DEFAULTS, read_config
from moneyflow.models import UserAlertConfig
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
ADDRESS = "/api/user-alert-configs"


def as_shown(config: dict[str, Any], user_id: str = "Default User") -> dict[str, Any]:
    """What is stored, as it is answered: each indicator tells the user and whether alerts are heard, too."""
    own = {"user_id": user_id, "audible_alerts_enabled": config["audible_alerts_enabled"]}
    return deepcopy(config) | {"user_id": user_id, "indicators": [each | own for each in config["indicators"]]}


@pytest.fixture
def config() -> dict[str, Any]:
    """Settings that differ from the defaults."""
    changed = as_shown(DEFAULTS) | {"toggle_all": False}
    changed["indicators"][0] |= {"color": "#abcdef", "percentage_range_min": 2.5, "enabled": False, "is_default": False}
    return changed


def post(client: Client, body: Any, query: str = "") -> Any:
    return client.post(ADDRESS + query, body, content_type="application/json")


def test_the_first_look_creates_the_defaults(client: Client) -> None:
    body = client.get(ADDRESS).json()
    assert (body["user_id"], body["toggle_all"], body["audible_alerts_enabled"]) == ("Default User", True, True)
    indicators = body["indicators"]
    assert [
        (one["display_order"], one["percentage_range_min"], one["percentage_range_max"], one["color"])
        for one in indicators
    ] == [
        (1, 5, 10, "#E5E7EB"),
        (2, 10, 15, "#BFDBFE"),
        (3, 15, 20, "#FEF3C7"),
        (4, 20, 25, "#BBF7D0"),
        (5, 25, 50, "#FECACA"),
        (6, 50, None, "#F3E8FF"),
    ]
    assert all(one["is_default"] and one["enabled"] for one in indicators)
    assert {one["indicator_type"] for one in indicators} == {"percentage_range"}
    assert len({one["indicator_id"] for one in indicators}) == 6
    assert UserAlertConfig.objects.get().user_id == "Default User"


@pytest.mark.django_db(transaction=True)
def test_first_readers_at_once_all_get_the_one_row() -> None:
    def read(_: int) -> str:
        try:
            return read_config("me").user_id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as readers:
        assert set(readers.map(read, range(8))) == {"me"}
    assert UserAlertConfig.objects.count() == 1


def test_what_is_posted_is_what_is_read_at_once_and_the_kept_body_is_outdated(config: dict[str, Any]) -> None:
    client = LaneClient()
    assert [client.get(ADDRESS)["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
    answer = post(client, config)
    assert (answer.status_code, answer.json()) == (200, {"success": True, **config})
    read = client.get(ADDRESS)
    assert (read["X-Cache"], read.json()) == ("MISS", config)


def test_what_was_read_can_be_posted_as_it_is_and_stores_the_same(client: Client) -> None:
    body = client.get(f"{ADDRESS}?user_id=anna").json()
    assert {(each["user_id"], each["audible_alerts_enabled"]) for each in body["indicators"]} == {("anna", True)}
    before = UserAlertConfig.objects.get().indicators
    assert post(client, body).json() == {"success": True, **body}
    after = UserAlertConfig.objects.get()
    assert (after.user_id, after.indicators) == ("anna", before)
    assert client.put(f"{ADDRESS}/reset", body, content_type="application/json").json() == {"success": True, **body}
    assert UserAlertConfig.objects.get().indicators == before


def test_a_reset_that_is_posted_with_null_ids_and_the_defaults_stores_the_defaults(
    client: Client, config: dict[str, Any]
) -> None:
    post(client, config)
    reset = as_shown(DEFAULTS)
    for indicator in reset["indicators"]:
        indicator["indicator_id"] = None
    assert post(client, reset).json() == {"success": True, **as_shown(DEFAULTS)}
    assert client.put(f"{ADDRESS}/reset", reset, content_type="application/json").status_code == 200
    assert UserAlertConfig.objects.get().indicators == DEFAULTS["indicators"]


def test_an_indicator_without_an_id_gets_one_that_no_other_has(client: Client, config: dict[str, Any]) -> None:
    shuffled = config["indicators"][::-1]
    shuffled[0].pop("indicator_id")
    shuffled[1]["indicator_id"] = None
    shuffled[2]["indicator_id"] = "indicator-6"
    found = post(client, config | {"indicators": shuffled}).json()["indicators"]
    assert [(each["display_order"], each["indicator_id"]) for each in found] == [
        *[(6, "indicator-5"), (5, "indicator-4"), (4, "indicator-6")],
        *[(3, "indicator-3"), (2, "indicator-2"), (1, "indicator-1")],
    ]


def test_whether_alerts_are_heard_is_for_the_body_to_say(client: Client, config: dict[str, Any]) -> None:
    for said in (True, None):  # as the client leaves them when its one switch is turned
        for indicator in config["indicators"]:
            indicator["audible_alerts_enabled"] = said
        found = post(client, config | {"audible_alerts_enabled": False}).json()
        assert {each["audible_alerts_enabled"] for each in [found, *found["indicators"]]} == {False}


@pytest.mark.parametrize("query", ["", "?user_id=anna"])
@pytest.mark.parametrize("method", ["post", "put"])
def test_an_indicator_of_another_user_than_the_body_is_refused(
    client: Client, config: dict[str, Any], method: str, query: str
) -> None:
    body = config | ({} if query else {"user_id": "anna"})
    if query:
        del body["user_id"]
    for place, user_id in enumerate(["anna", "anna", None, "anna", "anna", "Default User"]):
        body["indicators"][place]["user_id"] = user_id
    address = ADDRESS if method == "post" else f"{ADDRESS}/reset"
    answer = getattr(client, method)(address + query, body, content_type="application/json")
    told = {"indicators": {"5": {"user_id": ["is not the user this body is for"]}}}
    assert (answer.status_code, answer.json()) == (400, {"error": "bad body: indicators", "details": told})
    assert not UserAlertConfig.objects.exists()
    body["indicators"][5]["user_id"] = "anna"
    assert getattr(client, method)(address + query, body, content_type="application/json").status_code == 200


@pytest.mark.parametrize("address", [f"{ADDRESS}/reset", f"{ADDRESS}/reset/"])
def test_a_reset_brings_the_defaults_back_with_the_body_or_without(
    client: Client, config: dict[str, Any], address: str
) -> None:
    for body in ({}, {"user_id": "Default User"}, config):
        post(client, config)
        answer = client.put(address, body, content_type="application/json")
        assert answer.json() == {"success": True, **as_shown(DEFAULTS)}
        assert client.get(ADDRESS).json() == as_shown(DEFAULTS)
    post(client, config)
    assert client.put(address).json()["toggle_all"] is True


def test_users_have_settings_of_their_own(client: Client, config: dict[str, Any]) -> None:
    for told in (config, *config["indicators"]):
        del told["user_id"]
    assert post(client, config | {"user_id": "anna"}).json()["user_id"] == "anna"
    assert post(client, config, "?userId=bert").json()["user_id"] == "bert"
    assert client.get(f"{ADDRESS}?user_id=anna").json()["toggle_all"] is False
    client.put(f"{ADDRESS}/reset?user_id=anna")
    assert [client.get(f"{ADDRESS}?userId={user}").json()["toggle_all"] for user in ("anna", "bert")] == [True, False]
    assert client.get(ADDRESS).json()["toggle_all"] is True


def test_a_body_for_another_user_than_the_query_is_refused(client: Client, config: dict[str, Any]) -> None:
    answer = post(client, config, "?user_id=anna")
    assert (answer.status_code, answer.json()["details"]) == (400, {"user_id": ["is not the one in the query"]})


BAD: list[tuple[str, dict[str, Any], str]] = [
    *[
        ("indicator", {"color": color}, "color")
        for color in ("red", "#fff", "#12345G", "#1234567", "#123456\n", 123456)
    ],
    ("indicator", {"percentage_range_min": 10}, "percentage_range_max"),
    ("indicator", {"percentage_range_min": 11}, "percentage_range_max"),
    *[
        ("indicator", {"percentage_range_min": low}, "percentage_range_min")
        for low in (-1, 101, "5", True, None, 10**400)
    ],
    ("indicator", {"percentage_range_max": "10"}, "percentage_range_max"),
    *[("indicator", {"display_order": order}, "display_order") for order in (0, 7, "1", 1.0, True, None)],
    ("indicator", {"enabled": "true"}, "enabled"),
    ("indicator", {"is_default": 1}, "is_default"),
    ("indicator", {"indicator_type": "odds"}, "indicator_type"),
    ("indicator", {"indicator_id": 1}, "indicator_id"),
    ("indicator", {"indicator_id": "x" * 101}, "indicator_id"),
    ("indicator", {"sound": "bell"}, "sound"),
    ("indicator", {"user_id": 7}, "user_id"),
    ("indicator", {"user_id": ""}, "user_id"),
    ("indicator", {"audible_alerts_enabled": "no"}, "audible_alerts_enabled"),
    ("config", {"toggle_all": "yes"}, "toggle_all"),
    ("config", {"audible_alerts_enabled": None}, "audible_alerts_enabled"),
    ("config", {"user_id": ""}, "user_id"),
    ("config", {"user_id": "nul\0"}, "user_id"),
    ("config", {"user_id": 7}, "user_id"),
    ("config", {"indicators": []}, "indicators"),
    ("config", {"indicators": {}}, "indicators"),
    ("config", {"indicators": DEFAULTS["indicators"][:5]}, "indicators"),
    ("config", {"indicators": [*DEFAULTS["indicators"], DEFAULTS["indicators"][0]]}, "indicators"),
    ("config", {"indicators": [DEFAULTS["indicators"][0]] * 6}, "indicators"),
    ("config", {"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("where", "change", "name"), BAD)
def test_a_bad_body_is_refused_by_field_and_nothing_is_stored(
    client: Client, config: dict[str, Any], where: str, change: dict[str, Any], name: str
) -> None:
    (config["indicators"][0] if where == "indicator" else config).update(change)
    answer = post(client, json.dumps(config))
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == f"bad body: {'indicators' if where == 'indicator' else name}"
    assert name in (body["details"]["indicators"]["0"] if where == "indicator" else body["details"])
    assert not UserAlertConfig.objects.exists()


@pytest.mark.parametrize(
    "missing", ["indicators", "toggle_all", "audible_alerts_enabled"], ids=lambda name: f"without {name}"
)
def test_a_field_that_is_missing_is_named(client: Client, config: dict[str, Any], missing: str) -> None:
    del config[missing]
    assert post(client, config).json()["details"] == {missing: ["This field is required."]}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b"nonsense",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"user_id": "\\ud800"}',
        b'{"a": NaN}',
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "zlib", "rot13", "utf-16"])
def test_what_is_not_json_of_an_object_is_refused(client: Client, content: bytes, charset: str) -> None:
    answer: Any = client.generic("POST", ADDRESS, content, content_type=f"application/json; charset={charset}")
    assert (answer.status_code, set(answer.json())) == (400, {"error", "details"})
    assert not UserAlertConfig.objects.exists()


def test_a_body_that_is_too_large_is_refused_unread(client: Client, config: dict[str, Any]) -> None:
    answer = post(client, json.dumps(config) + " " * 20_000)
    assert (answer.status_code, answer.json()["details"]) == (400, {"body": ["is larger than 16384 bytes"]})


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_of_a_foreign_page_is_not_taken_for_a_body(client: Client, config: dict[str, Any], kind: str) -> None:
    answer = client.post(ADDRESS, json.dumps(config), content_type=kind)
    assert (answer.status_code, set(answer.json())) == (415, {"error"})
    assert not UserAlertConfig.objects.exists()


def test_no_cookie_and_no_token_are_needed(config: dict[str, Any]) -> None:
    answer = post(Client(enforce_csrf_checks=True), config)
    assert (answer.status_code, answer.cookies) == (200, {})


@pytest.mark.parametrize(("method", "address"), [("put", ADDRESS), ("delete", ADDRESS), ("post", f"{ADDRESS}/reset")])
def test_other_methods_are_not_allowed(client: Client, method: str, address: str) -> None:
    assert getattr(client, method)(address).status_code == 405
