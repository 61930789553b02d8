"""Read what a `.env` file says wrongly, before it is believed. PURE."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

# Names that `.env` may have although no setting reads them: `run` and compose.yaml do.
OTHERS = frozenset({"POSTGRES_PASSWORD", "PORT", "RACEDAY_HOME", "RACEDAY_VENV", "RACEDAY_CLOCK"})


def faults_of(text: str) -> Iterator[str]:
    """Yield a sentence for each line that sets nothing."""
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if content and not content.startswith("#") and "=" not in content:
            name = content.split()[0]
            yield f"line {number} of .env has no =: write {name}=value, or # before it."


def unknown_names(text: str, known: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each name that is no setting, with the nearest one that is."""
    settings = {*known, *OTHERS}
    lines = (line.strip().removeprefix("export ") for line in text.splitlines())
    names = [line.partition("=")[0].strip() for line in lines if "=" in line and not line.startswith("#")]
    for name in names:
        if name not in settings:
            near = get_close_matches(name.upper(), sorted(settings), n=1)
            yield f"{name} in .env is no setting" + (f": do you mean {near[0]}?" if near else ".")
