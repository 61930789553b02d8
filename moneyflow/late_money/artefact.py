"""The trained detector as a file: JSON with names, provenance, weights, ordinary races' scores and a checksum. PURE."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from moneyflow.late_money.calibration import Calibration
from moneyflow.late_money.numbers import NAMES
from moneyflow.late_money.records import Floats

FORMAT = "late-money/1"
ARTEFACT_PATH = Path(__file__).with_name("artefact.json")


class ArtefactError(ValueError):
    """Say why a file is no artefact that this code can use."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Artefact:
    """A trained net over the numbers of NAMES, and how ordinary races score with it."""

    name: str
    provenance: dict[str, Any]  # worlds, races, seeds and packages of the training
    mean: Floats  # of each number in ordinary races
    scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]  # weights (in, out) and biases
    calibration: Calibration


def packed(artefact: Artefact) -> str:
    """Return the artefact as JSON text, equal bytes for equal content. Weights keep seven digits."""
    content = {
        "format": FORMAT,
        "name": artefact.name,
        "numbers": NAMES,
        "provenance": artefact.provenance,
        "mean": _listed(artefact.mean),
        "scale": _listed(artefact.scale),
        "layers": [{"weights": _listed(weights), "biases": _listed(biases)} for weights, biases in artefact.layers],
        "ordinary_maxima": _listed(artefact.calibration.maxima),
    }
    content["checksum"] = checksum(content)
    return json.dumps(content, indent=None, separators=(",", ":")).replace(',"', ',\n"') + "\n"


def unpacked(text: str) -> Artefact:
    """Read an artefact back. Raises ArtefactError where it is damaged or made for other numbers."""
    try:
        content = json.loads(text)
        if content.get("format") != FORMAT:
            raise ArtefactError(f"the format is {content.get('format')!r}, not {FORMAT!r}")
        if content.pop("checksum", None) != checksum(content):
            raise ArtefactError("the checksum does not match the content")
        if tuple(content["numbers"]) != NAMES:
            raise ArtefactError("it was trained on other numbers than this code calculates")
        artefact = Artefact(
            name=content["name"],
            provenance=content["provenance"],
            mean=np.array(content["mean"]),
            scale=np.array(content["scale"]),
            layers=tuple((np.array(layer["weights"]), np.array(layer["biases"])) for layer in content["layers"]),
            calibration=Calibration(maxima=np.array(content["ordinary_maxima"])),
        )
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as fault:
        raise ArtefactError(f"it cannot be read: {fault!r}") from fault
    _check_shapes(artefact)
    return artefact


def load(path: Path) -> Artefact | None:
    """Read an artefact's file; None where it is missing, damaged or made for other numbers."""
    try:
        return unpacked(path.read_text())
    except (OSError, ArtefactError):
        return None


@cache
def shipped() -> Artefact | None:
    """Return the artefact beside this code, read once."""
    return load(ARTEFACT_PATH)


def checksum(content: dict[str, Any]) -> str:
    """Return the SHA-256 of the content in one canonical spelling."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_shapes(artefact: Artefact) -> None:
    width = len(NAMES)
    fits = artefact.mean.shape == artefact.scale.shape == (width,) and bool((artefact.scale > 0).all())
    for weights, biases in artefact.layers:
        fits = fits and weights.ndim == 2 and weights.shape == (width, len(biases))
        width = len(biases)
    if not fits or width != 1:
        raise ArtefactError("the shapes of its layers do not fit together")


def _listed(values: Floats) -> list[Any]:
    return np.vectorize(lambda value: float(f"{value:.7g}"), otypes=[float])(values).tolist()  # type: ignore[no-any-return]
