"""A browser of this machine, and one whole product that all tests of this folder look at."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from benchmarks.browser import chromium
from faults.tree import Tree
from tests.support.browser import SPEED
from tests.support.isolation import free_port

PATIENCE_MS = 30_000  # of a busy machine
# At that speed most races are polled each 6 s, and one that closes twice a second.
CADENCES = {"FAR": "120", "NEAR": "60", "SOON": "30", "CLOSING": "10", "SETTLING": "30"}

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Take the machine's own browser: Playwright's would have to be downloaded."""
    if (found := chromium()) is None:
        pytest.skip("no Chromium is on this machine (Debian: apt install chromium)")
    return {"executable_path": found}


@pytest.fixture(scope="session")
def tree(browser_type_launch_args: dict[str, Any]) -> Iterator[Tree]:
    """A demo on servers of its own; it is not started where no browser is."""
    folder = Path(tempfile.mkdtemp(prefix="raceday-"))
    folder.chmod(0o711)  # the account of PostgreSQL passes through
    settings = {f"CADENCE_{name}_SECONDS": seconds for name, seconds in CADENCES.items()}
    tree = Tree(root=folder / "home", port=free_port(), speed=SPEED, settings=settings)
    try:
        tree.start()
        yield tree
    finally:
        tree.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def base_url(tree: Tree) -> str:
    return f"http://127.0.0.1:{tree.port}"


@pytest.fixture
def blank(page: Page) -> Page:
    """A page without a script of its own, which may import any of the board's."""
    page.goto("/static/board/favicon.svg")
    return page


@pytest.fixture
def complaints() -> list[str]:
    """What pages said was wrong, refusals of their content security policy included; who causes it clears it."""
    return []


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext], tree: Tree, complaints: list[str]
) -> Iterator[Callable[..., BrowserContext]]:
    """Hold every page of a test to this: it has nothing to complain of, and it asks nobody but Raceday."""
    asked: set[str] = set()

    def watched(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        return context

    yield watched
    assert complaints == []
    assert asked <= {f"127.0.0.1:{port}" for port in (tree.port, tree.port + 1)}
