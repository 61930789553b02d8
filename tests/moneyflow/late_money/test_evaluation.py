"""The record that the page shows is the one in the document, figure for figure."""

from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.evaluation import Found, World, evaluation
from tests.support.paths import ROOT

DOCUMENT = (ROOT / "docs" / "late-money.md").read_text().splitlines()


def point(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def found_of(found: Found) -> str:
    return f"{point(found.at_4)} ({point(found.at_1)}) [{point(found.low)}–{point(found.high)}]"


def rows_of(world: World) -> tuple[str, str]:
    """Write a world as the two tables of the document begin with it."""
    name = world.name if world.is_replayed else f"`{world.name}`"
    found = " | ".join(found_of(world.found[stake]) for stake in ("5", "10", "20"))
    own = world.false_alerts_after_own
    after = f"{own.mean:.1f} ({own.low:.1f}–{own.high:.1f})" if own else "–"
    return (
        f"| {name} | {world.ordinary_races:,}, {world.informed_races:,} | {found} | {world.seconds_left} |",
        f"| {name} | {world.false_alerts:.1f} | {after} |",
    )


def test_each_world_is_in_the_document_as_it_is_here() -> None:
    for world in evaluation().worlds:
        for row in rows_of(world):
            assert [line for line in DOCUMENT if line.startswith(row)], row


def test_each_world_of_the_document_is_here() -> None:
    first = DOCUMENT.index(next(line for line in DOCUMENT if line.startswith("| world | races, informed a stake")))
    count = next(number for number, line in enumerate(DOCUMENT[first + 2 :]) if not line)
    assert len(evaluation().worlds) == count


def test_the_record_is_that_of_the_shipped_artefact() -> None:
    artefact = shipped()
    assert artefact is not None
    assert evaluation().artefact == artefact.name


def test_what_is_not_found_is_missed() -> None:
    assert Found(at_4=0.25, at_1=0.1, low=0.2, high=0.3).missed_at_4 == 0.75
