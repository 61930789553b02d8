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
            yield from (f"{module.replace('.', '/')}.py" for module in contract["source_modules"])


def main() -> int:
    """Add up what all processes of the suite ran, print it and return the exit code."""
    suite = Coverage()
    suite.combine()
    measured = (Path(file).relative_to(ROOT) for file in suite.get_data().measured_files())
    folders = {str(file.parent / "*.py") for file in measured if file.name != "__init__.py"}
    limits = dict.fromkeys(folders, LEAST_PERCENTAGE) | dict.fromkeys(pure_modules(), 100)
    low = [files for files, limit in sorted(limits.items()) if print_percentage(suite, files) < limit]
    print_percentage(suite, None)
    if low:
        suite.report(include=low, show_missing=True, skip_covered=True)
    return 1 if low else 0


def print_percentage(suite: Coverage, files: str | None) -> float:
    """Print how much of these files, None is all, the suite ran, and return it."""
    percentage = suite.report(include=files, file=StringIO())
    sys.stdout.write(f"{(files or 'all').removesuffix('/*.py'):<34} {floor(percentage):>3} %\n")
    return percentage


if __name__ == "__main__":
    raise SystemExit(main())
