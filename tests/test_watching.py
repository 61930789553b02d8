"""What watches Raceday: rules and panels ask for what /metrics has, and each alert is tried and is in the runbook."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.test import Client

import moneyflow.pipeline  # noqa: F401  # what it counts is there from the start
from races.models import Race
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.paths import ROOT
from tests.support.scrape import samples

PROMETHEUS = ROOT / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")
GROUPS = yaml.safe_load((PROMETHEUS / "raceday.rules.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "raceday.json").read_text())
PANELS = DASHBOARD["panels"]
ALERTS = [rule["alert"] for rule in RULES]
EXPRESSIONS = [rule["expr"] for rule in RULES]
EXPRESSIONS += [target["expr"] for panel in PANELS for target in panel["targets"]]

GROUPING = re.compile(r"\b(?:by|on|group_left)\s*\([^)]*\)|\[[^]]*\]")
SELECTOR = re.compile(r"\b([a-z]\w*)\b(?!\s*\()(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
Labels = dict[str, str]


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """Yield each metric that an expression of PromQL reads, and its matchers."""
    for name, matchers in SELECTOR.findall(GROUPING.sub("", expression)):
        if name not in {"and", "or", "unless"}:
            yield name, matchers


def is_match(matchers: str, labels: Labels) -> bool:
    for name, operator, value in MATCHER.findall(matchers):
        text = labels.get(name, "")
        is_same = re.fullmatch(value, text) if "~" in operator else value == text
        if bool(is_same) is operator.startswith("!") or name not in labels:
            return False
    return True


@pytest.fixture
def page(client: Client, own_keys: None) -> str:  # noqa: F811
    """A scrape of a Raceday that has polled a race and answered a client."""
    race: Race = make_race(make_meeting())
    client.get(f"/api/races/{race.race_id}")
    return client.get("/metrics").content.decode()


def test_the_reader_of_expressions_finds_names_and_matchers() -> None:
    expression = 'sum by (le) (rate(a_bucket{b="c",d!~"e|f"}[5m])) / on () g > 0.5 or absent(up)'
    assert list(selectors(expression)) == [("a_bucket", 'b="c",d!~"e|f"'), ("g", ""), ("up", "")]
    assert is_match('b="c",d!~"e|f"', {"b": "c", "d": "g"})
    assert not is_match('b="c",d!~"e|f"', {"b": "c", "d": "e"})
    assert not is_match('b="c"', {})


@pytest.mark.django_db
def test_rules_and_panels_ask_for_metrics_with_labels_that_a_scrape_has(page: str) -> None:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    there = {name + suffix for name, kind in kinds.items() for suffix in SUFFIXES.get(kind, ("",))} | {"up"}
    seen: dict[str, list[Labels]] = defaultdict(list, up=[{"job": "raceday"}])
    for sample in samples(page):
        name, _, labels = sample.partition("{")
        seen[name].append({label: value for label, _, value in MATCHER.findall(labels)})
    wanted = {found for expression in EXPRESSIONS for found in selectors(expression)}
    assert {name for name, _ in wanted} - there == set()
    asked = [(name, matchers) for name, matchers in wanted if seen[name]]
    assert [each for each in asked if not any(is_match(each[1], labels) for labels in seen[each[0]])] == []


def test_the_job_of_the_rules_is_the_one_that_prometheus_has() -> None:
    (job,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    assert job["job_name"] == "raceday"


def test_each_alert_has_an_entry_in_the_runbook_and_each_entry_an_alert() -> None:
    assert re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE) == ALERTS
    assert len(set(ALERTS)) == len(ALERTS)


def test_each_alert_is_fired_and_withheld_by_a_test_of_the_rules() -> None:
    tests = yaml.safe_load((PROMETHEUS / "raceday.test.yml").read_text())["tests"]
    tried = {(one["alertname"], bool(one["exp_alerts"])) for test in tests for one in test["alert_rule_test"]}
    assert tried == {(alert, is_fired) for alert in ALERTS for is_fired in (True, False)}


@pytest.mark.parametrize("arguments", ["check config prometheus.yml", "test rules raceday.test.yml"])
def test_promtool_accepts_the_rules_and_their_tests(arguments: str) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool is not on this machine (Debian: apt install prometheus)")
    done = subprocess.run([PROMTOOL, *arguments.split()], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_the_shape_that_grafana_reads() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    assert {panel["datasource"]["uid"] for panel in PANELS} == {f"${{{variable['name']}}}"}
    for panel in PANELS:
        ids = [target["refId"] for target in panel["targets"]]
        assert ids == sorted(set(ids))


def test_the_panels_lie_side_by_side() -> None:
    cells = [cell for panel in PANELS for cell in cells_of(**panel["gridPos"])]
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24


def cells_of(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    return [(column, row) for column in range(x, x + w) for row in range(y, y + h)]


def test_the_panels_follow_the_corridor() -> None:
    titles: list[Any] = [panel["title"] for panel in PANELS]
    rooms = [title for title in titles if title[0].isdigit()]
    assert rooms == ["1 Fetch", "2–3 Transform", "4 Write", "5 Publish", "6 Cache", "6 API", "6 Streams"]
