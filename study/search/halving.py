"""Halving: start at a large rate and halve it until training no longer diverges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.engines.learner import Bools, Floats, Learner
from study.validation import integer, number


@dataclass(frozen=True)
class Try:
    """One rate tried: the first batch's loss, the mean of the last fifth of the losses, and whether
    training diverged.
    """

    rate: float
    first: float
    last: float
    diverged: bool


@dataclass(frozen=True)
class Halving:
    """The end of one lane: the first rate that did not diverge, or None if all did; every try, and
    the steps they took together.
    """

    rate: float | None
    tries: tuple[Try, ...]
    steps: int


TRIES = 40
"""Tries at most."""


def halve(learner: Learner, start: float = 10.0, steps: int = 100) -> list[Halving]:
    """Halve each lane's rate from `start` until it no longer diverges; return the end of each, the
    learner being where it was.

    Diverged is: a loss is not finite, or the mean of the last fifth of the losses is above the
    first batch's loss (the training made it worse). Every try begins from the same weights and
    batches. What this finds is a rate that is not too large, within a factor of two, and no more: a
    network whose units a large rate has killed answers the same for every image, is hardly worse
    than at first, and passes.

    Args:
        learner: all lanes are tried together, each at its own rate; one that has settled stays at
            its rate.
        start: the first rate.
        steps: steps of a try.

    Raises:
        StudyError: a value out of its range.
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
    """Of losses (T, K): the first, the mean of the last fifth, and whether the lane diverged, each
    (K,); see `halve`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        first, last = losses[0], losses[-max(1, len(losses) // 5) :].mean(axis=0, dtype=np.float64)
        worse: Bools = ~np.isfinite(losses).all(axis=0) | ~(last <= first)
    return first, last, worse
