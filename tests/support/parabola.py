"""A Learner whose every number is known in closed form, and an engine of it: w <- w (1 - rate c)
from w = 1, without TensorFlow.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from study.engines.learner import LANE_SIZES, Bools, Floats, array_size, padded
from study.machine.facts import Machine
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import key_of

CURVATURE = {
    "sgd": 0.5,
    "momentum": 1.0,
    "adam": 20.0,
    "adagrad": 2.0,
    "adadelta": 0.01,
    "rmsprop": 10.0,
}
DEAD_ABOVE = 1e6


class Parabola:
    """Lanes on parabolas c w^2 / 2; accuracy is 1 - |w|, never below 0. A rate above `DEAD_ABOVE`
    moves nothing: provably stuck.
    """

    sizes: Sequence[int] = LANE_SIZES
    form: str | None = None
    metric = "accuracy"
    sign = 1

    def __init__(self, curvatures: Sequence[float], delay: float = 0.0) -> None:
        self.lanes = len(curvatures)
        self.c, self.w = np.array(curvatures, float), np.ones(self.lanes)
        self.rates = np.zeros(self.lanes)
        self.delay = delay
        self.calls: list[str] = []

    def prepare(self) -> None:
        self.calls.append("prepare")

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        self.calls.append("advance")
        time.sleep(self.delay)
        assert rates.shape[1] == self.lanes
        losses, correct = np.empty(rates.shape), np.empty(rates.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            for t, rate in enumerate(rates):
                losses[t], correct[t] = (
                    self.c * self.w**2 / 2,
                    np.nan_to_num(np.maximum(0, 1 - np.abs(self.w))),
                )
                self.w = self.w * np.where(rate > DEAD_ABOVE, 1, 1 - rate * self.c)
        self.rates = rates[-1]
        return losses, correct

    def evaluate(self, test: bool = False) -> Floats:
        self.calls.append("evaluate")
        accuracy: Floats = np.nan_to_num(np.maximum(0, 1 - np.abs(self.w)))
        return accuracy

    def stuck(self, lanes: Sequence[int]) -> Bools:
        self.calls.append("stuck")
        proved: Bools = self.rates[list(lanes)] > DEAD_ABOVE
        return proved

    def snapshot(self) -> Any:
        return self.c.copy(), self.w.copy(), self.rates.copy()

    def restore(self, state: Any) -> None:
        self.c, self.w, self.rates = (part.copy() for part in state)
        self.lanes = len(self.w)

    def keep(self, lanes: Sequence[int]) -> None:
        self.calls.append("keep")
        self.c, self.w, self.rates = (
            self.c[list(lanes)],
            self.w[list(lanes)],
            self.rates[list(lanes)],
        )
        self.lanes = len(self.w)


class Interrupted(Parabola):
    """Ctrl-C comes when it is to advance for the `at`-th time."""

    def __init__(self, curvatures: Sequence[float], at: int) -> None:
        super().__init__(curvatures)
        self.at = at

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        if self.calls.count("advance") + 1 == self.at:
            raise KeyboardInterrupt
        return super().advance(rates, momenta)


class Deaf(Parabola):
    """Ctrl-C comes in its second advance, and is lost there or becomes another error."""

    error: type[Exception] | None = None

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        if self.calls.count("advance") == 1:
            try:
                signal.raise_signal(signal.SIGINT)
                time.sleep(0)
            except KeyboardInterrupt:
                if self.error:
                    raise self.error("what a library makes of it") from None
        return super().advance(rates, momenta)


class ParabolaEngine:
    """Makes parabolas for the driver; `breaks` names the learning rates whose learner raises."""

    def __init__(self, delay: float = 0.0, breaks: Sequence[float] = ()) -> None:
        self.delay, self.breaks = delay, breaks

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        bad = [trial.learning_rate for trial in trials if trial.learning_rate in self.breaks]
        if bad:
            raise RuntimeError(f"no parabola at {bad[0]}")
        return Parabola(
            [CURVATURE[trial.optimizer] for trial in padded(trials, array_size(len(trials)))],
            self.delay,
        )


def calibrated(
    calibration: Calibration, trials: Sequence[Trial], seconds: float = 0.001
) -> Calibration:
    """The calibration with a made-up step time for every trial, so that reconstructed seconds are
    known.
    """
    calibration.add(calibration.entry(key_of(trial), Rounds([seconds], 50)) for trial in trials)
    return calibration


MACHINE = Machine(cpu="Test CPU", cores=2, memory_gb=8, gpus=(), system="Linux")
