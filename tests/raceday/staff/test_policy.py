"""What browsers may run on the admin's pages, and that these pages need nothing else."""

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from raceday.staff.policy import POLICY

pytestmark = pytest.mark.django_db
PAGES = ["index", "races_race_changelist", "raceday_pollrun_changelist", "accounts_user_add", "queues", "cache"]


def source(text: str) -> str:
    """Return how a policy names an inline style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def inline(page: str, element: str) -> Iterator[str]:
    """Yield the texts of a page's style or script elements; data in a script element does not run."""
    for attributes, text in re.findall(rf"<{element}\b([^>]*)>(.*?)</{element}>", page, re.DOTALL):
        if "application/json" not in attributes and text.strip():
            yield text


@pytest.mark.parametrize("page", PAGES)
def test_no_script_is_inline_and_each_inline_style_is_named(admin_client: Client, page: str) -> None:
    answer = admin_client.get(reverse(f"admin:{page}"))
    assert answer.headers["Content-Security-Policy"] == POLICY
    text = answer.content.decode()
    assert list(inline(text, "script")) == []
    assert re.findall(r"<[^>]+\son(?:click|change|load|submit|error)=", text) == []
    assert [style for style in inline(text, "style") if source(style) not in POLICY] == []


def test_what_htmx_adds_to_each_page_is_named() -> None:
    path = finders.find("unfold/js/htmx/htmx.js")
    assert path
    with open(path) as script:  # noqa: PTH123  # a finder returns text
        added = re.search(r'"<style"\+e\+">(.*?)</style>"', script.read())
    assert added
    names = {"Q.config.indicatorClass": "htmx-indicator", "Q.config.requestClass": "htmx-request"}
    style = re.sub(r'"\+([\w.]+)\+"', lambda found: names[found[1]], added[1])
    assert source(style) in POLICY


def test_only_what_raceday_serves_is_loaded() -> None:
    sources = {word for directive in POLICY.split("; ") for word in directive.split()[1:]}
    assert {word for word in sources if "sha256" not in word} == {
        "'none'", "'self'", "'unsafe-eval'", "'unsafe-inline'", "data:",
    }  # fmt: skip
    assert [directive for directive in POLICY.split("; ") if "'unsafe-inline'" in directive] == [
        "style-src-attr 'unsafe-inline'"
    ]


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/nothing/", "/admin"])
def test_pages_before_the_login_and_of_errors_have_the_policy(client: Client, address: str) -> None:
    assert client.get(address).headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("address", ["/api/docs", "/api/health/live", "/administration"])
def test_other_addresses_have_another(client: Client, address: str) -> None:
    assert client.get(address).headers.get("Content-Security-Policy") != POLICY
