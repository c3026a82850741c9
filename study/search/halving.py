"""Halving: start at a large rate, and halve it until the loss no longer grows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.engines.learner import Bools, Floats, Learner
from study.stopping import heed
from study.validation import integer, number


@dataclass(frozen=True)
class Try:
    """One rate that was tried.

    Args:
        rate: the rate.
        first: the loss of the first batch.
        last: the mean of the last fifth of the losses.
        diverged: whether training diverged, see `halve`.
    """

    rate: float
    first: float
    last: float
    diverged: bool


@dataclass(frozen=True)
class Halving:
    """The result of one lane.

    Args:
        rate: the first rate that did not diverge, or None if all did.
        tries: all tries in their order.
        steps: steps of all tries together.
    """

    rate: float | None
    tries: tuple[Try, ...]
    steps: int


TRIES = 40
"""Largest number of tries."""


def halve(learner: Learner, start: float = 10.0, steps: int = 100) -> list[Halving]:
    """Halve the rate of each lane from `start` until it no longer diverges; restore the learner.

    Training diverged if a loss is not finite. It also diverged if the mean of the last fifth of the
    losses is above the loss of the first batch. Every try begins with the same weights and batches.

    Warning: a rate that passes may still be too large to learn with. Its network may
    have no live unit: then it answers the same for every image, hardly worse than at the start.

    Args:
        learner: all lanes are tried together, each at its own rate. A lane that has found its rate
            stays at it.
        start: the first rate.
        steps: steps of a try.

    Returns:
        A result for each lane.

    Raises:
        StudyError: a value is out of its range.
    """
    rates = np.full(learner.lanes, number("start", start, 0, 1e12))
    integer("steps", steps, 1, 10**6)
    tries: list[list[Try]] = [[] for _ in rates]
    trying = np.ones(learner.lanes, bool)
    before = learner.snapshot()
    try:
        learner.prepare()
        for _ in range(TRIES):
            learner.restore(before)
            losses, _ = learner.advance(np.tile(rates, (steps, 1)))
            heed()
            first, last, worse = judge(losses)
            for lane in np.flatnonzero(trying):
                tries[lane].append(
                    Try(
                        float(rates[lane]), float(first[lane]), float(last[lane]), bool(worse[lane])
                    )
                )
            trying &= worse
            if not trying.any():
                break
            rates[trying] /= 2
    finally:
        learner.restore(before)
    return [
        Halving(None if trying[lane] else mine[-1].rate, tuple(mine), len(mine) * steps)
        for lane, mine in enumerate(tries)
    ]


def judge(losses: Floats) -> tuple[Floats, Floats, Bools]:
    """Whether lanes diverged, see `halve`.

    Args:
        losses: (T, K).

    Returns:
        The first loss, the mean of the last fifth, and whether the lane diverged, (K,) each.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        first, last = losses[0], losses[-max(1, len(losses) // 5) :].mean(axis=0, dtype=np.float64)
        worse: Bools = ~np.isfinite(losses).all(axis=0) | ~(last <= first)
    return first, last, worse
