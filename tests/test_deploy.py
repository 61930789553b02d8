"""What deploy/ and the image are made of: a proxy tried for real, a service that systemd accepts, no app forgotten."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings as django_settings

from raceday.processes import die_with_parent
from tests.support.isolation import free_port
from tests.support.paths import ROOT
from tests.support.streams import Listener, Streams, Valkey, eventually

CONF = ROOT / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")


class Web(BaseHTTPRequestHandler):
    """What answers at the web server's port."""

    def do_GET(self) -> None:
        body = f"web {self.path} {self.headers['Host']} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="raceday-"))
    path.chmod(0o711)  # nginx's workers have an account of their own
    yield path
    shutil.rmtree(path)


@pytest.fixture
def streams(folder: Path) -> Iterator[Streams]:
    valkey = Valkey(folder)
    valkey.tell("r1", {"a": 1})
    process = Streams(valkey)
    yield process
    process.stop()
    valkey.kill()


@pytest.fixture
def proxy(folder: Path, streams: Streams) -> Iterator[Streams]:
    if NGINX is None:
        pytest.skip("nginx is not on this machine")
    web = HTTPServer(("127.0.0.1", 0), Web)
    Thread(target=web.serve_forever, daemon=True).start()
    port = free_port()
    text = CONF.read_text()
    for ours, theirs in ((8000, web.server_port), (8001, streams.port), (8080, port)):
        assert text.count(f"127.0.0.1:{ours};") == 1
        text = text.replace(f"127.0.0.1:{ours};", f"127.0.0.1:{theirs};")
    # The account that runs the suite may not be allowed as many files as a server is.
    (folder / "nginx.conf").write_text(text.replace("24000", "256").replace("22000", "100"))
    nginx = subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"],
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 no thread of ours is in a lock
    )
    direct, streams.port = streams.port, port
    eventually(streams.is_up)
    yield streams
    streams.port = direct
    nginx.terminate()
    nginx.wait()
    web.shutdown()


def test_behind_the_proxy_events_come_one_by_one_at_the_webs_own_address(proxy: Streams) -> None:
    assert Listener(proxy, "race_id=r1", path="/api/api/stream").next()[0].data == {"a": 1}
    reader = Listener(proxy, "race_id=r1")
    assert reader.next()[0].data == {"a": 1}
    for number in range(3):
        proxy.valkey.tell("r1", {"a": 1}, ("pool", {"number": number}))
        assert reader.next()[0].data == {"number": number}
    assert reader.answer.getheader("content-type") == "text/event-stream; charset=utf-8"


def test_behind_the_proxy_all_else_is_the_web_servers(proxy: Streams) -> None:
    answer = proxy.ask("x=1", path="/api/streams")
    assert answer.read().decode() == f"web /api/streams?x=1 127.0.0.1:{proxy.port} 127.0.0.1"


# ── The service and the image ───────────────────────────────────────────────────────────────────
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    if SYSTEMD_ANALYZE is None:
        pytest.skip("systemd-analyze is not on this machine")
    text = (ROOT / "deploy" / "raceday.service").read_text()
    assert "ExecStart=/opt/raceday/run live\n" in text
    unit = tmp_path / "raceday.service"
    unit.write_text(text.replace("/opt/raceday", str(ROOT)))  # it looks for the program
    done = subprocess.run([SYSTEMD_ANALYZE, "verify", unit], capture_output=True, text=True, check=False)
    assert "raceday.service" not in done.stdout + done.stderr
    assert done.returncode == 0


def test_every_app_is_in_the_image() -> None:
    ours = {name for name in django_settings.INSTALLED_APPS if (ROOT / name).is_dir()} | {"config"}
    copied = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")}
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert copied == let_in == ours | {"manage.py", "requirements.txt"}
