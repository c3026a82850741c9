"""A rate that falls when a trial's own checks show no gain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from study.errors import StudyError
from study.spec.schedules.base import Array, Count, Fraction, Shape, Share
from study.validation import choice, number

WATCHED = ("loss", "accuracy")


GAINS = ("relative", "absolute")


Watched = Annotated[str, partial(choice, allowed=WATCHED)]


Gain = Annotated[str, partial(choice, allowed=GAINS)]


Threshold = Annotated[float, partial(number, low=0, high=1e6, inclusive=True)]


@dataclass(frozen=True, kw_only=True)
class Plateau(Shape):
    """1, and times `by` at each check that is one too many without a gain.

    ReduceLROnPlateau, in the form of PyTorch. The checks are those of the study, every
    `check_every` steps. Each trial follows its own, so the factor is no function of the step alone:
    it multiplies the rates that the trial is given until its next check.

    Args:
        by: the factor at each fall of the rate, in (0, 1).
        patience: checks in a row without a gain that are borne; the next one lowers the rate.
            Keras counts that one, so its patience is one more.
        threshold: a gain is more than this.
        gain: `relative` to the best value so far, or `absolute`.
        cooldown: checks after a fall that are not counted.
        low: the lowest factor.
        watch: `loss`, the mean over the steps since the last check, or `accuracy`, by the study's
            metric.

    >>> pace = Pace((Plateau(by=0.5, patience=1),))
    >>> list(pace.see(loss=loss, accuracy=0.1) for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0))
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    """

    name = "plateau"
    by: Fraction = 0.1
    patience: Count = 10
    threshold: Threshold = 1e-4
    gain: Gain = "relative"
    cooldown: Count = 0
    low: Share = 0.0
    watch: Watched = "loss"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by == 1:
            raise StudyError("by 1 never lowers the rate: give a factor below 1, such as 0.1")

    def shape(self, step: Array, xp: Any) -> Array:
        return xp.ones_like(step, dtype="float32")

    @property
    def plateaus(self) -> tuple[Plateau, ...]:
        """See `Schedule.plateaus`: itself."""
        return (self,)

    def gains(self, value: float, best: float) -> bool:
        """Whether a value is better than the best one by more than the threshold."""
        margin = self.threshold * (best if self.gain == "relative" else 1.0)
        return value > best + margin if self.watch == "accuracy" else value < best - margin


@dataclass
class _Watch:
    """What one plateau has seen of one trial."""

    plateau: Plateau
    best: float | None = None
    without_gain: int = 0
    cooling: int = 0
    factor: float = 1.0

    def see(self, value: float) -> None:
        """Take the value of a check into account."""
        plateau = self.plateau
        if self.best is None or plateau.gains(value, self.best):
            self.best, self.without_gain = value, 0
        else:
            self.without_gain += 1
        if self.cooling:
            self.cooling, self.without_gain = self.cooling - 1, 0
        if self.without_gain > plateau.patience:
            self.factor = max(self.factor * plateau.by, plateau.low)
            self.cooling, self.without_gain = plateau.cooldown, 0


class Pace:
    """How a trial's own checks change its rate.

    Args:
        plateaus: of its schedule, see `Schedule.plateaus`; the factor of none is always 1.
    """

    def __init__(self, plateaus: tuple[Plateau, ...]) -> None:
        self.watches = [_Watch(plateau) for plateau in plateaus]

    @property
    def factor(self) -> float:
        """The factor on the rates until the next check."""
        return math.prod(watch.factor for watch in self.watches)

    def see(self, *, loss: float, accuracy: float) -> float:
        """Take a check into account.

        Args:
            loss: the mean loss of the steps since the last check.
            accuracy: the accuracy at the check.

        Returns:
            The factor on the rates until the next check.
        """
        for watch in self.watches:
            watch.see(loss if watch.plateau.watch == "loss" else accuracy)
        return self.factor
