"""Servers by others that do Raceday's work, for comparison: built once from their registries.

They are stored beside Raceday's own packages; in a throw-away folder every run would fetch them again.
"""

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from raceday.run.process import Program

HERE = Path(__file__).parent
BUILD_SECONDS = 300
PREFIX = "bench:peer:"


class PeerError(RuntimeError):
    """Why a peer cannot be built, in one sentence."""


class Peer(Struct, frozen=True, kw_only=True):
    """A server to compare with. manifest: names what it is built of; program: how it is started, by folder and port."""

    name: str
    title: str
    manifest: str
    build: Callable[[Path], None]
    command: Callable[[Path, int], tuple[Sequence[str], Mapping[str, str]]]


def built(peer: Peer) -> Path:
    """Return the folder of a peer, building the peer first if needed; PeerError says why it cannot be built."""
    manifest = HERE / peer.manifest
    folder = Path(sys.prefix) / "peers" / f"{peer.name}-{zlib.crc32(manifest.read_bytes()):08x}"
    if (folder / "built").exists():
        return folder
    sys.stderr.write(f"building {peer.title} (once)\n")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(manifest, folder)
        peer.build(folder)
        (folder / "built").touch()
    except OSError as fault:
        raise PeerError(f"{peer.title} cannot be built in {folder}: {fault.strerror}") from None
    return folder


def program(peer: Peer, folder: Path, port: int, headers: Mapping[str, str]) -> Program:
    """Tell how a built peer is started; headers are those that all its answers carry."""
    argv, own = peer.command(folder, port)
    told = {"PEER_HEADERS": json.dumps(headers), "PEER_PREFIX": PREFIX, "REDIS_URL": os.environ["REDIS_URL"]}
    return Program(name=peer.name, argv=argv, env={"PATH": os.environ.get("PATH", os.defpath), **told, **own})


def _run(title: str, *argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
    except FileNotFoundError:
        raise PeerError(f"{title} cannot be built: there is no {argv[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise PeerError(f"{title} was not built within {BUILD_SECONDS} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or [f"code {done.returncode}"]
        raise PeerError(f"{title} could not be built: {said[0]}")


def _build_fastapi(folder: Path) -> None:
    _run("FastAPI", sys.executable, "-m", "venv", str(folder / "venv"))
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run("FastAPI", *pip, "-r", str(folder / "requirements.txt"))


def _fastapi(folder: Path, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
    argv = [str(folder / "venv" / "bin" / "python"), "-m", "uvicorn", "fastapi_redis:app", "--app-dir", str(HERE)]
    argv += ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off"]
    return [*argv, "--no-access-log", "--log-level", "warning"], {"PYTHONDONTWRITEBYTECODE": "1"}


def _build_express(folder: Path) -> None:
    _run("Express", "node", "--version")
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    _run("Express", "npm", "install", "--prefix", str(folder), *quiet)


def _express(folder: Path, port: int) -> tuple[Sequence[str], Mapping[str, str]]:
    own = {"NODE_ENV": "production", "NODE_PATH": str(folder / "node_modules"), "PORT": str(port)}
    return ["node", str(HERE / "express_ioredis.js")], own


PEERS = (
    Peer(
        name="fastapi",
        title="FastAPI + redis",
        manifest="requirements.txt",
        build=_build_fastapi,
        command=_fastapi,
    ),
    Peer(
        name="express",
        title="Express + ioredis",
        manifest="package.json",
        build=_build_express,
        command=_express,
    ),
)
