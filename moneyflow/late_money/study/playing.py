"""Play many races in parallel processes, one thread of arithmetic each, so that results depend on seeds alone."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def in_parallel(
    work: Callable[[Task], Result], tasks: Iterable[Task], processes: int | None = None
) -> Iterator[Result]:
    """Yield what `work` makes of each task, in the order of the tasks. `work` is a module's own function."""
    with _single_threaded(), multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(work, tasks, chunksize=20)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Have processes that start here calculate in one thread: the order of a sum changes its last digits."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
