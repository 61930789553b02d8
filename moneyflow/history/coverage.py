"""Which buckets of a race's timeline have a document, and which critical ones lack it. PURE: no I/O."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from moneyflow.transform.flow import BUCKETS

CRITICAL_MINUTES = 5


class Covered(Struct, frozen=True):
    """How many documents an entrant has, and the buckets in which they show the requested pool, in falling order."""

    entrant_id: str
    document_count: int
    intervals_covered: list[float] | None


def coverage(covered: Sequence[Covered], entrant_ids: Sequence[str]) -> dict[str, Any]:
    """Return what exists for each requested entrant. Shape: interval_coverage of the contract.

    Only a bucket that one of the entrants has reached can be missing: a later one is no gap. If 2 is reached and there
    are documents in 5 and 2, an entrant lacks 60 … 10, 4 and 3; 4 and 3 are critical gaps.
    """
    found = {each.entrant_id: each for each in covered}
    reached = sorted({bucket for each in covered for bucket in each.intervals_covered or ()}, reverse=True)
    passed = [bucket for bucket in BUCKETS if reached and bucket >= reached[-1]]
    entrants = [_entrant(entrant_id, found.get(entrant_id), passed) for entrant_id in entrant_ids]
    gaps = [gap for entrant in entrants if (gap := _gap(entrant))["missing_intervals"]]
    return {
        "summary": {
            "total_documents": sum(each.document_count for each in covered),
            "entrants_covered": len(covered),
            "intervals_covered": reached,
            "critical_period_gaps": gaps,
            "coverage_report": f"{len(covered)} of {len(entrants)} entrants have documents, "
            f"{len(gaps)} have gaps in the last {CRITICAL_MINUTES} minutes",
        },
        "entrants": entrants,
    }


def _entrant(entrant_id: str, found: Covered | None, passed: Sequence[int]) -> dict[str, Any]:
    intervals = (found.intervals_covered if found else None) or []
    return {
        "entrant_id": entrant_id,
        "document_count": found.document_count if found else 0,
        "intervals_covered": intervals,
        "critical_period_coverage": [bucket for bucket in passed if bucket in intervals],
        "missing_critical_intervals": [bucket for bucket in passed if bucket not in intervals],
    }


def _gap(entrant: dict[str, Any]) -> dict[str, Any]:
    missing = [bucket for bucket in entrant["missing_critical_intervals"] if bucket <= CRITICAL_MINUTES]
    return {"entrant_id": entrant["entrant_id"], "missing_intervals": missing}
