"""Fit the small net: two hidden layers of rectified units, logistic loss, Adam. PURE, numpy, seeded."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
SIZES = (48, 24)
BATCH = 512
RATE = 2e-3  # of learning, falls to 0 along a cosine
DECAY = 1e-5
FIRST, SECOND = 0.9, 0.999  # Adam's memories of gradients and their squares


def fit_net(
    inputs: Weights, target: Weights, weight: Weights, *, epochs: int, seed: int
) -> list[tuple[Weights, Weights]]:
    """Return layers of (weights, biases) that predict the log odds of `target`, (rows,) of 0 and 1."""
    dice = np.random.default_rng(seed)
    layers = _start(dice, [inputs.shape[1], *SIZES, 1])
    memory = [(np.zeros_like(part), np.zeros_like(part)) for part in layers]
    weight = weight / weight.mean()
    a_epoch = len(target) // BATCH
    for step in range(epochs * a_epoch):
        if step % a_epoch == 0:
            order = dice.permutation(len(target))
        rows = order[step % a_epoch * BATCH :][:BATCH]
        slopes = _slopes(layers, inputs[rows], target[rows], weight[rows])
        _move(layers, slopes, memory, (step + 1, epochs * a_epoch))
    return [(layers[place], layers[place + 1]) for place in range(0, len(layers), 2)]


def _start(dice: np.random.Generator, sizes: Sequence[int]) -> list[Weights]:
    layers: list[Weights] = []
    for width, units in pairwise(sizes):
        layers.append(dice.normal(0, np.sqrt(2 / width), (width, units)).astype(np.float32))
        layers.append(np.zeros(units, np.float32))
    layers[-1] -= 4.0  # informed rows are rare
    return layers


def _slopes(layers: list[Weights], inputs: Weights, target: Weights, weight: Weights) -> list[Weights]:
    """Return the gradient of the mean weighted logistic loss, part by part."""
    active = [inputs]
    for place in range(0, len(layers) - 2, 2):
        active.append(np.maximum(active[-1] @ layers[place] + layers[place + 1], 0))
    log_odds = (active[-1] @ layers[-2] + layers[-1])[:, 0]
    error = ((1 / (1 + np.exp(-log_odds)) - target) * weight / len(target))[:, None]
    slopes: list[Weights] = []
    for place in range(len(layers) - 2, -1, -2):
        slopes = [active[place // 2].T @ error + DECAY * layers[place], error.sum(0), *slopes]
        error = (error @ layers[place].T) * (active[place // 2] > 0)
    return slopes


def _move(
    layers: list[Weights], slopes: list[Weights], memory: list[tuple[Weights, Weights]], progress: tuple[int, int]
) -> None:
    """Take one of Adam's steps (Kingma and Ba 2015), in place."""
    step, steps = progress
    rate = RATE / 2 * (1 + np.cos(np.pi * step / steps))
    for part, slope, (mean, square) in zip(layers, slopes, memory, strict=True):
        np.add(mean, (1 - FIRST) * (slope - mean), out=mean)
        np.add(square, (1 - SECOND) * (slope * slope - square), out=square)
        step_size = np.sqrt(square / (1 - SECOND**step)) + 1e-8
        np.subtract(part, np.float32(rate) * (mean / (1 - FIRST**step)) / step_size, out=part)
