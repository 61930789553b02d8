"""Pages of other origins read the API only where a setting names them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

CLIENT = "https://client.example"
# An address that nobody has needs no database; its answers pass through the same middleware.
ASK = """
import json
import django
django.setup()
from django.test import Client
ask = Client(headers={"Host": "localhost"}).generic
wanted = {"Origin": "https://client.example"}
preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-race-polling"}
answers = {
    "named": ask("GET", "/api/nowhere", headers=wanted),
    "other": ask("GET", "/api/nowhere", headers={"Origin": "https://client.example.org"}),
    "admin": ask("GET", "/admin/login", headers=wanted),
    "preflight": ask("OPTIONS", "/api/nowhere", headers=wanted | preflight),
}
print(json.dumps({name: {k.lower(): v for k, v in answer.headers.items()} for name, answer in answers.items()}))
"""


def ask(origins: str, tmp_path: Path) -> dict[str, Any]:
    own = {"DJANGO_SETTINGS_MODULE": "config.settings", "RACEDAY_HOME": str(tmp_path), "CORS_ALLOWED_ORIGINS": origins}
    told = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=True
    )
    headers: dict[str, Any] = json.loads(told.stdout)
    return headers


def test_by_default_no_origin_is_let_in_and_answers_do_not_vary_by_it(tmp_path: Path) -> None:
    answers = ask("", tmp_path)
    assert not any(name.startswith("access-control") for headers in answers.values() for name in headers)
    assert answers["named"]["vary"] == "Accept-Encoding"


def test_a_named_origin_reads_the_api_and_its_headers_and_no_other_does(tmp_path: Path) -> None:
    answers = ask(f"http://localhost:3000,{CLIENT}", tmp_path)
    assert answers["named"]["access-control-allow-origin"] == CLIENT
    assert "access-control-allow-credentials" not in answers["named"]
    exposed = set(answers["named"]["access-control-expose-headers"].split(", "))
    limits = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    assert exposed == {"Age", "ETag", "Retry-After", "X-Cache", "X-Polled-At", *limits}
    assert "origin" in answers["named"]["vary"]
    assert not any(name.startswith("access-control") for name in [*answers["other"], *answers["admin"]])


def test_a_named_origin_may_write_and_say_that_it_polls(tmp_path: Path) -> None:
    preflight = ask(CLIENT, tmp_path)["preflight"]
    assert {"GET", "POST", "PUT"} <= set(preflight["access-control-allow-methods"].split(", "))
    assert {"content-type", "x-race-polling"} <= set(preflight["access-control-allow-headers"].split(", "))


@pytest.mark.parametrize("origin", ["*", "client.example", "https://client.example/", "ftp://client.example"])
def test_what_no_browser_sends_as_an_origin_stops_the_start(origin: str, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as fault:
        ask(origin, tmp_path)
    assert fault.value.returncode == 2
    assert "setting CORS_ALLOWED_ORIGINS is wrong: must read https://host" in fault.value.stderr
