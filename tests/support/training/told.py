"""A Learner that shows what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from study.engines.learner import LANE_SIZES, Bools, Floats


class Hand:
    """A clock that stands still until something moves it."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Told:
    """Lanes whose checks are known beforehand; the last check told is repeated.

    Args:
        accuracies: of each lane, one a check.
        losses: of each lane, one a check; 1 if not told.
        seconds: what each check takes by `clock`.
        proves: how many proofs it gives when it is asked for so many lanes.
    """

    sizes: Sequence[int] = LANE_SIZES
    form: str | None = None
    metric = "accuracy"
    sign = 1

    def __init__(
        self,
        accuracies: Sequence[Sequence[float]],
        losses: Sequence[Sequence[float]] | None = None,
        seconds: Sequence[float] = (1.0,),
        proves: Callable[[int], int] = lambda asked: asked,
    ) -> None:
        self.accuracies, self.seconds, self.proves = accuracies, seconds, proves
        self.losses = losses or [[1.0]] * len(accuracies)
        self.lanes, self.here = len(accuracies), list(range(len(accuracies)))
        self.clock = Hand()
        self.checks = self.steps = 0
        self.calls: list[str] = []
        self.rates: list[list[float]] = []
        self.momenta: list[Any] = []
        self.asked: list[tuple[int, list[int]]] = []

    def prepare(self) -> None:
        self.calls.append("prepare")

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        self.calls.append("advance")
        assert rates.shape[1] == self.lanes
        self.rates.append(rates[0].tolist())
        self.momenta.append(momenta)
        self.clock.now += self._at(self.seconds)
        losses, correct = (
            np.tile([self._at(told[lane]) for lane in self.here], (len(rates), 1))
            for told in (self.losses, self.accuracies)
        )
        self.shown = correct[-1]
        self.checks, self.steps = self.checks + 1, self.steps + len(rates)
        return losses, correct

    def _at(self, told: Sequence[float]) -> float:
        return told[min(self.checks, len(told) - 1)]

    def evaluate(self, test: bool = False) -> Floats:
        self.calls.append("evaluate")
        return np.array(self.shown)

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """It notes the step, and the lanes by their first places."""
        self.asked.append((self.steps, [self.here[i] for i in lanes]))
        return np.ones(self.proves(len(lanes)), bool)

    def snapshot(self) -> Any:
        raise NotImplementedError

    def restore(self, state: Any) -> None:
        raise NotImplementedError

    def keep(self, lanes: Sequence[int]) -> None:
        self.calls.append("keep")
        self.here = [self.here[i] for i in lanes]
        self.lanes = len(self.here)
