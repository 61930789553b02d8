"""What deploy/ and the image are made of: a proxy tried for real, a service that systemd accepts, no app forgotten."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import psutil  # type: ignore[import-untyped]
import pytest
from django.conf import settings as django_settings

from raceday.processes import die_with_parent
from tests.support.isolation import free_port
from tests.support.paths import ROOT
from tests.support.streams import Listener, Streams, Valkey, eventually

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
CURL = shutil.which("curl")
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")


class Web(BaseHTTPRequestHandler):
    """What answers at the web server's port."""

    name = "web"

    def do_GET(self) -> None:
        body = f"{self.name} {self.path} {self.headers['Host']} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Old(Web):
    """The server that Raceday replaces."""

    name = "old"


@contextmanager
def serving(kind: type[Web]) -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), kind)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()


@contextmanager
def nginx(folder: Path, ports: dict[int, int], *lines: tuple[str, str]) -> Iterator["psutil.Popen"]:
    """Run deploy/nginx.conf with other ports, and with lines put in place of comments."""
    if NGINX is None:
        pytest.skip("nginx is not on this machine")
    text = (DEPLOY / "nginx.conf").read_text()
    # The account that runs the suite may not be allowed as many files as a server is.
    changes = [("24000", "256"), ("22000", "100"), *lines]
    changes += [(f"127.0.0.1:{ours};", f"127.0.0.1:{theirs};") for ours, theirs in ports.items()]
    for before, after in changes:
        assert text.count(before) == 1
        text = text.replace(before, after)
    (folder / "nginx.conf").write_text(text)
    shutil.copy(DEPLOY / "split.conf", folder)
    process = psutil.Popen(
        [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"],
        preexec_fn=die_with_parent(signal.SIGTERM),
    )
    yield process
    process.terminate()
    process.wait()


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
    port = free_port()
    tls = ("listen 443 ssl http2;", "ssl_certificate certificate.pem;", "ssl_certificate_key key.pem;")
    lines = [(f"# {line}\n", f"{line.replace('443', f'127.0.0.1:{tls_port}')}\n") for line in tls]
    with serving(Web) as web, nginx(folder, {8000: web, 8001: streams.port, 8080: port}, *lines):
        direct, streams.port = streams.port, port
        eventually(streams.is_up)
        yield streams
        streams.port = direct


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


# ── A cut-over ──────────────────────────────────────────────────────────────────────────────────
class Split:
    """A proxy before Raceday and an old server, and the command that moves races from one to the other."""

    def __init__(self, folder: Path, process: "psutil.Popen", port: int, old: int) -> None:
        # A connection that is kept would stay with a worker of the share before.
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Connection": "close"}, trust_env=False
        )
        self.old = f"127.0.0.1:{old}"
        self.conf, self._process = folder / "split.conf", process
        self._env = {**os.environ, "CONF": str(folder), "NGINX": f"{NGINX} -p {folder} -c {folder}/nginx.conf"}

    def cutover(self, *arguments: str) -> int:
        return subprocess.run([DEPLOY / "cutover", *arguments], env=self._env, check=False).returncode

    def move(self, share: int) -> None:
        """Move so many percent, and wait until only nginx's new workers answer."""
        before = set(self._process.children())
        assert self.cutover(str(share), self.old) == 0
        eventually(lambda: (workers := set(self._process.children())) and not workers & before)

    def side(self, path: str) -> str:
        return self.client.get(path).text.split()[0]

    def moved(self) -> set[int]:
        return {number for number in range(60) if self.side(f"/api/races/race-{number}") == "web"}


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.fixture
def split(folder: Path) -> Iterator[Split]:
    port = free_port()
    with serving(Web) as web, serving(Old) as old, nginx(folder, {8000: web, 8080: port}) as process:
        eventually(lambda: is_listening(port))
        yield Split(folder, process, port, old)


def test_races_move_to_raceday_by_shares_and_back_in_one_command(split: Split) -> None:
    everything = set(range(60))
    assert split.moved() == everything
    split.move(10)
    tenth = split.moved()
    split.move(50)
    half = split.moved()
    assert 0 < len(tenth) < len(half) < 60
    assert tenth < half  # a race that has moved stays
    split.move(100)
    assert split.moved() == everything
    split.move(0)
    assert split.moved() == set()


def test_all_requests_about_a_race_go_to_one_server(split: Split) -> None:
    split.move(50)
    for number in range(10):
        race = f"race-{number}"
        paths = [f"/api/races/{race}", f"/api/api/races/{race}/live", f"/api/entrants?race_id={race}"]
        paths += [f"/api/money-flow-timeline?entrants=a,b&raceId={race}", f"/api/races/navigation?race_id={race}"]
        assert len({split.side(path) for path in paths}) == 1


def test_settings_stay_where_they_are_until_all_races_have_moved_and_pages_are_always_ours(split: Split) -> None:
    settings, page = "/api/user-alert-configs?user_id=kim", "/status"
    for share, side in ((50, "old"), (100, "web"), (0, "old")):
        split.move(share)
        assert (split.side(settings), split.side(page)) == (side, "web")


@pytest.mark.parametrize(
    "arguments", [(), ("101", "a:1"), ("-1", "a:1"), ("x", "a:1"), ("10",), ("10", "no such host")]
)
def test_a_share_that_cannot_be_is_refused_and_changes_nothing(split: Split, arguments: tuple[str, ...]) -> None:
    before = split.conf.read_text()
    assert split.cutover(*arguments) == 2
    assert split.conf.read_text() == before


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
