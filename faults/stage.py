"""Hand out running Racedays to hurt, with processes that observe them, and clear them away."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faults.catalogue import Fault
from faults.count import Answer
from faults.deeds import Scene
from faults.questions import Questions
from faults.tree import NotAllowedError, Tree, await_true, beside, free_port
from faults.watch import CommitWatch, FeedWatch

STAND_BY_SECONDS = 5.0
STEADY_SECONDS = 30.0
LEAST_RACES = 40
TMPFS_SIZE = "400m"


@dataclass(slots=True)
class Looked:
    """A scene and its observers."""

    scene: Scene
    feeds: list[FeedWatch]
    commits: CommitWatch

    @property
    def answers(self) -> list[Answer]:
        return [answer for feed in self.feeds for answer in feed.answers]

    def stop(self) -> None:
        """Look no more."""
        for watcher in (self.commits.watcher, *(feed.watcher for feed in self.feeds)):
            watcher.is_over = True


@contextmanager
def looked_at(folder: Path, port: int) -> Iterator[Looked]:
    """Start a tree in a new home below `folder`, look on, and stop it and all that belongs to it at the end."""
    root = Path(tempfile.mkdtemp(prefix="tree-", dir=folder))
    root.chmod(0o711)  # the account of PostgreSQL passes through
    scene = Scene(tree=Tree(root=root, port=port))
    looked: Looked | None = None
    try:
        scene.tree.start()
        looked = Looked(scene, [FeedWatch(scene.tree)], CommitWatch(scene.tree))
        yield looked
    finally:
        if looked:
            looked.stop()
        if scene.second:
            scene.second.stop()
        scene.tree.stop()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system below `folder`; NotAllowedError where that is forbidden."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    options = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_SIZE},mode=711", "tmpfs", str(disk)]
    with suppress(OSError):
        if subprocess.run(options, capture_output=True, check=False).returncode == 0:
            try:
                yield disk
            finally:
                subprocess.run(["umount", "-l", str(disk)], check=False)
            return
    raise NotAllowedError("this machine does not allow a tmpfs to be mounted")


def await_steady(looked: Looked) -> None:
    """Wait until good polls are committed in the usual rhythm."""
    commits = looked.commits.commits
    await_true(lambda: len(commits) > 10 and commits[-6] > time.time() - 3, STEADY_SECONDS)


def add_second(looked: Looked, port: int) -> None:
    """Start a second tree on the first one's servers and let it stand by for a while."""
    looked.scene.second = beside(looked.scene.tree, port)
    looked.scene.second.start()
    looked.feeds.append(FeedWatch(looked.scene.second))
    time.sleep(STAND_BY_SECONDS)


class Trees:
    """Hands out a working tree: the same one until a fault was too much for it."""

    def __init__(self, folder: Path, port: int | None) -> None:
        self._folder, self._port = folder, port
        self._stack = ExitStack()
        self._looked: Looked | None = None
        self.races = 0

    def port(self, place: int = 0) -> int:
        return free_port() if self._port is None else self._port + 2 * place

    def whole(self, fault: Fault) -> Looked:
        """Return a steady tree with 40 live races or more, and with what the fault needs beside it."""
        if self._looked is None or fault.needs == "tmpfs" or not self._is_enough():
            self.drop()
            folder = self._stack.enter_context(small_disk(self._folder)) if fault.needs == "tmpfs" else self._folder
            self._looked = self._stack.enter_context(looked_at(folder, self.port()))
            self.races = self.races or len(Questions(self._looked.scene.tree).live_races())
        await_steady(self._looked)
        if fault.needs == "second":
            add_second(self._looked, self.port(1))
        return self._looked

    def _is_enough(self) -> bool:
        return self._looked is not None and len(Questions(self._looked.scene.tree).live_races()) >= LEAST_RACES

    def drop(self) -> None:
        """Stop the tree: the next fault gets a new one."""
        self._looked = None
        self._stack.close()
