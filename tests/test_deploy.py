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
CURL = shutil.which("curl")
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
def tls_port(folder: Path) -> int:
    """The port at which the lines for TLS listen, which are comments in the file; the certificate is made here."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=localhost"
    subprocess.run(make.split(), cwd=folder, check=True, capture_output=True)
    return free_port()


@pytest.fixture
def proxy(folder: Path, streams: Streams, tls_port: int) -> Iterator[Streams]:
    if NGINX is None:
        pytest.skip("nginx is not on this machine")
    web = HTTPServer(("127.0.0.1", 0), Web)
    Thread(target=web.serve_forever, daemon=True).start()
    port = free_port()
    text = CONF.read_text()
    for ours, theirs in ((8000, web.server_port), (8001, streams.port), (8080, port)):
        assert text.count(f"127.0.0.1:{ours};") == 1
        text = text.replace(f"127.0.0.1:{ours};", f"127.0.0.1:{theirs};")
    for line in ("listen 443 ssl http2;", "ssl_certificate certificate.pem;", "ssl_certificate_key key.pem;"):
        assert text.count(f"# {line}\n") == 1
        text = text.replace(f"# {line}\n", f"{line.replace('443', f'127.0.0.1:{tls_port}')}\n")
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


def test_behind_tls_a_stream_is_http_2_and_its_events_come_one_by_one(proxy: Streams, tls_port: int) -> None:
    if CURL is None or b"HTTP2" not in subprocess.run([CURL, "-V"], capture_output=True, check=True).stdout:
        pytest.skip("no curl that speaks HTTP/2 is on this machine")
    address = f"https://127.0.0.1:{tls_port}/api/stream?race_id=r1"
    curl = subprocess.Popen(
        [CURL, "--http2", "--insecure", "--silent", "--include", "--no-buffer", "--noproxy", "*", address],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 no thread of ours is in a lock
    )
    assert curl.stdout
    assert curl.stdout.readline() == "HTTP/2 200 \n"
    data = (line for line in curl.stdout if line.startswith("data: "))
    assert next(data) == 'data: {"a": 1}\n'
    for number in range(3):
        proxy.valkey.tell("r1", {"a": 1}, ("pool", {"number": number}))
        assert next(data) == f'data: {{"number": {number}}}\n'
    curl.terminate()
    curl.wait()


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
