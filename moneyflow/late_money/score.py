"""The score of a runner by the trained net, and what it rests on. PURE, numpy."""

import numpy as np

from moneyflow.late_money.artefact import Artefact
from moneyflow.late_money.numbers import GROUPS, NAMES
from moneyflow.late_money.records import Floats

LOWEST, HIGHEST = -6.0, 10.0  # standardised numbers are cut to these


def standardised(numbers: Floats, artefact: Artefact) -> Floats:
    """Return numbers, (runners, 30), in deviations from their mean in ordinary races."""
    scaled = (numbers - artefact.mean) / artefact.scale
    return np.minimum(np.maximum(scaled, LOWEST), HIGHEST)


def net_scores(inputs: Floats, artefact: Artefact) -> Floats:
    """Return the net's output for each row of standardised numbers: the log odds of informed money."""
    *hidden, (weights, biases) = artefact.layers
    for hidden_weights, hidden_biases in hidden:
        inputs = np.maximum(inputs @ hidden_weights + hidden_biases, 0)
    return (inputs @ weights + biases)[:, 0]


def falls(inputs: Floats, artefact: Artefact) -> dict[str, float]:
    """Return how much one runner's score falls when each group of its numbers is at its mean in ordinary races."""
    without = np.tile(inputs, (len(GROUPS) + 1, 1))
    for row, names in enumerate(GROUPS.values(), 1):
        without[row, [NAMES.index(name) for name in names]] = 0
    scores = net_scores(without, artefact)
    return {group: float(scores[0] - score) for group, score in zip(GROUPS, scores[1:], strict=True)}
