"""The case study of cyclical rates: every arm is trained with every seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from study.engines.learner import Engine, Floats, Learner
from study.spec.schedules import parse
from study.tables.case_study import ARMS, EPOCHS, Arm, trial_of


def train(
    seed: int,
    engine: Engine,
    images: int,
    dataset: str = "mnist",
    watch: Callable[[str, int], None] = lambda arm, epoch: None,
) -> list[dict[str, Any]]:
    """Train every arm with one seed; arms that share batch and start are lanes of one array.

    Args:
        seed: of the initial weights and the batch order.
        engine: makes the learners.
        images: training images in the data set.
        dataset: its name.
        watch: called with the arms' names and the epoch, after each.

    Returns:
        rows of arm, seed, epoch, steps, test_error (a share), one an arm and epoch.
    """
    rows: list[dict[str, Any]] = []
    first = ARMS[0]
    alone = engine.learner([trial_of(first, seed, dataset)])
    rows += _epochs(alone, [first], seed, images, watch)
    for arms in (
        [arm for arm in ARMS[1:] if not arm.carries_on],
        [arm for arm in ARMS if arm.carries_on],
    ):
        learner = engine.learner([trial_of(arms[0], seed, dataset)])
        if arms[0].carries_on:
            learner.restore(alone.snapshot())
        learner.keep([0] * len(arms))
        rows += _epochs(learner, arms, seed, images, watch)
    return rows


def _epochs(
    learner: Learner, arms: Sequence[Arm], seed: int, images: int, watch: Callable[[str, int], None]
) -> Iterator[dict[str, Any]]:
    """The rows of arms that are the learner's lanes."""
    steps = images // arms[0].batch
    learner.prepare()
    for epoch in range(EPOCHS):
        at = np.arange(epoch * steps, (epoch + 1) * steps)
        rates: Floats = np.stack(
            [arm.rate * parse.parse(arm.schedule).factor(at, np) * np.ones(steps) for arm in arms],
            axis=1,
        )
        learner.advance(rates)
        watch(" | ".join(arm.name for arm in arms), epoch + 1)
        for arm, accuracy in zip(arms, learner.evaluate(test=True), strict=True):
            error = round(1 - float(accuracy), 6)
            yield {
                "arm": arm.name,
                "seed": seed,
                "epoch": epoch + 1,
                "steps": (epoch + 1) * steps,
                "test_error": error,
            }
