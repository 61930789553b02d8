"""`python -m tests.support.covered`: print how much of each room the suite ran, and fail where that is too little."""

import sys
import tomllib
from collections.abc import Iterator
from io import StringIO
from math import floor
from pathlib import Path

from coverage import Coverage

from tests.support.paths import ROOT

LEAST_PERCENTAGE = 90  # of the lines and branches of a folder; of a pure module all


def pure_modules() -> Iterator[str]:
    """Yield the files that import-linter keeps pure."""
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "forbidden":
            paths = (module.replace(".", "/") for module in contract["source_modules"])
            yield from (f"{path}/*.py" if (ROOT / path).is_dir() else f"{path}.py" for path in paths)


def room_of(file: Path) -> Path:
    """Return the folder of a file; an app's commands count as the app's own."""
    # Of a function that calls asyncio.run Python 3.11 loses the lines after it (cpython#106749): commands have many.
    return Path(file.parts[0]) if "management" in file.parts else file.parent


def main() -> int:
    """Add up what all processes of the suite ran, print it and return the exit code."""
    suite = Coverage()
    suite.combine()
    rooms: dict[str, list[str]] = {module: [module] for module in pure_modules()}
    for file in sorted(Path(name).relative_to(ROOT) for name in suite.get_data().measured_files()):
        rooms.setdefault(str(room_of(file)), []).append(str(file))
    low = []
    for room, files in sorted(rooms.items()):
        percentage = suite.report(include=files, file=StringIO())
        sys.stdout.write(f"{room:<34} {floor(percentage):>3} %\n")
        if percentage < (100 if room.endswith(".py") else LEAST_PERCENTAGE):
            low += files
    sys.stdout.write(f"{'all':<34} {floor(suite.report(file=StringIO())):>3} %\n")
    if low:
        suite.report(include=low, show_missing=True, skip_covered=True)
    return 1 if low else 0


if __name__ == "__main__":
    raise SystemExit(main())
