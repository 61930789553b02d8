"""The artefact as a file: equal bytes, a checksum, and no use of one that does not fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moneyflow.late_money import artefact as module
from moneyflow.late_money.artefact import ARTEFACT_PATH, ArtefactError, checksum, load, packed, unpacked
from moneyflow.late_money.numbers import NAMES

TEXT = ARTEFACT_PATH.read_text()


def changed(**changes: Any) -> str:
    """Return the shipped artefact with other content and a checksum that matches it."""
    content = json.loads(TEXT) | changes
    content.pop("checksum")
    return json.dumps(content | {"checksum": checksum(content)})


def test_the_shipped_artefact_fits_and_is_small() -> None:
    found = unpacked(TEXT)
    assert [weights.shape for weights, _ in found.layers] == [(30, 48), (48, 24), (24, 1)]
    assert len(TEXT) < 200_000
    assert found.provenance["trained_on"] == ["published", "randomised"]
    assert len(found.calibration.maxima) >= 1_900


def test_reading_and_writing_gives_the_same_bytes() -> None:
    assert packed(unpacked(TEXT)) == TEXT


def test_weights_keep_seven_digits() -> None:
    assert packed(unpacked(changed(mean=[1 / 3] * 30))).count("0.3333333,") >= 29


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT.replace('"weights":[[', '"weights":[[9', 1), "checksum"),
        ("{}", "format"),
        ("[]", "cannot be read"),
        ("no json", "cannot be read"),
        (changed(format="late-money/0"), "format"),
        (changed(numbers=[*NAMES[1:], "other"]), "other numbers"),
        (changed(mean=[0.0] * 29), "shapes"),
        (changed(scale=[0.0] * 30), "shapes"),
        (changed(layers=json.loads(TEXT)["layers"][:2]), "shapes"),
        (changed(layers=json.loads(TEXT)["layers"][1:]), "shapes"),
        (changed(layers=[{"weights": [1.0]}]), "cannot be read"),
    ],
)
def test_a_damaged_artefact_or_one_for_other_code_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ArtefactError, match=reason):
        unpacked(text)


def test_a_file_that_does_not_fit_loads_as_none(tmp_path: Path) -> None:
    assert load(tmp_path / "missing.json") is None
    (tmp_path / "old.json").write_text(changed(format="late-money/0"))
    assert load(tmp_path / "old.json") is None


def test_the_shipped_artefact_is_read_once() -> None:
    assert module.shipped() is module.shipped()


def test_provenance_survives() -> None:
    found = unpacked(TEXT)
    assert found.provenance["recipe"]["races"] > 0
    assert np.isfinite(found.mean).all()
