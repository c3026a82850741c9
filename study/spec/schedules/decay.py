"""Schedules that fall, and those that start again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

from study.errors import StudyError
from study.spec.schedules.base import (
    Array,
    Boundaries,
    Factors,
    Flag,
    Fraction,
    Positive,
    Schedule,
    Share,
    Steps,
    _ends,
    _half_cosine,
    _passed,
    _periods,
    _power,
    _text,
)
from study.validation import integer


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """rate^(t / steps).

    Args:
        rate: the factor after `steps` steps, in (0, 1].
        steps: see the formula.
        staircase: take the whole part of t / steps. As exponential_decay of TensorFlow 1.

    >>> import numpy as np
    >>> round(Exponential(rate=0.5, steps=100).factor(200, np).item(), 6)
    0.25
    """

    name = "exponential"
    rate: Fraction
    steps: Steps
    staircase: Flag = False

    def shape(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.rate, _periods(step, self.steps, self.staircase, xp))


@dataclass(frozen=True, kw_only=True)
class InverseTime(Schedule):
    """1 / (1 + rate t / steps).

    Args:
        rate: see the formula, above 0.
        steps: see the formula.
        staircase: take the whole part of t / steps. As inverse_time_decay of TensorFlow 1.

    >>> import numpy as np
    >>> InverseTime(rate=1, steps=100).factor(300, np).item()
    0.25
    """

    name = "inverse-time"
    rate: Positive
    steps: Steps
    staircase: Flag = False

    def shape(self, step: Array, xp: Any) -> Array:
        return 1 / (1 + xp.multiply(self.rate, _periods(step, self.steps, self.staircase, xp)))


@dataclass(frozen=True, kw_only=True)
class Piecewise(Schedule):
    """factors[i] up to and with step boundaries[i], then the last factor.

    Args:
        boundaries: rising steps.
        factors: one more than the boundaries. As in TensorFlow 1 and Keras.

    >>> import numpy as np
    >>> Piecewise(boundaries=(100,), factors=(1, 0.5)).factor(101, np).item()
    0.5
    """

    name = "piecewise"
    boundaries: Boundaries
    factors: Factors

    def __post_init__(self) -> None:
        super().__post_init__()
        listed = _text(self.boundaries)
        if not all(low < high for low, high in pairwise(self.boundaries)):
            raise StudyError(f"boundaries {listed} must rise")
        if len(self.factors) != len(self.boundaries) + 1:
            raise StudyError(
                f"factors {_text(self.factors)} must be {len(self.boundaries) + 1}, one more "
                f"than the boundaries {listed}"
            )

    def shape(self, step: Array, xp: Any) -> Array:
        return xp.take(xp.array(self.factors), _passed(self.boundaries, step - 1, xp))

    def _climbs(self) -> bool:
        return any(low < high for low, high in pairwise(self.factors))


@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """(1 - end) (1 - t / steps)^power + end, then `end`.

    Args:
        steps: steps of the decay.
        end: the last factor, in [0, 1].
        power: see the formula, above 0.
        cycle: take the first multiple of `steps` that t has not passed in their place.

    >>> import numpy as np
    >>> Polynomial(steps=100, power=2).factor(50, np).item()
    0.25
    """

    name = "polynomial"
    steps: Steps
    end: Share = 0.0
    power: Positive = 1.0
    cycle: Flag = False

    def shape(self, step: Array, xp: Any) -> Array:
        if self.cycle:
            left = 1 - xp.divide(
                step, self.steps * xp.maximum((step + self.steps - 1) // self.steps, 1)
            )
        else:
            left = xp.divide(xp.maximum(self.steps - step, 0), self.steps)
        return (1 - self.end) * left**self.power + self.end

    def _climbs(self) -> bool:
        return self.cycle


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """(1 - alpha) (1 + cos(pi t / steps)) / 2 + alpha, then `alpha`.

    Args:
        steps: steps of the decay.
        alpha: the last factor, in [0, 1]. Loshchilov and Hutter 2017, without restarts.

    >>> import numpy as np
    >>> round(Cosine(steps=100).factor(50, np).item(), 6)
    0.5
    """

    name = "cosine"
    steps: Steps
    alpha: Share = 0.0

    def shape(self, step: Array, xp: Any) -> Array:
        return (1 - self.alpha) * _half_cosine(
            xp.divide(xp.minimum(step, self.steps), self.steps), xp
        ) + self.alpha


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(Schedule):
    """(1 - alpha) m_mul^i (1 + cos(pi x)) / 2 + alpha at the share x of cycle i.

    SGDR (Loshchilov and Hutter 2017), in the form of Keras.

    Args:
        steps: steps of the first cycle.
        t_mul: each cycle is this many times as long as the one before; a whole number.
        m_mul: each cycle's peak is this many times that of the one before.
        alpha: the factor at the end of a cycle, in [0, 1].

    >>> import numpy as np
    >>> CosineRestarts(steps=100, m_mul=0.5).factor(np.array([0, 100, 300]), np).tolist()
    [1.0, 0.5, 0.25]
    """

    name = "cosine-restarts"
    climbs = True
    steps: Steps
    t_mul: Annotated[int, partial(integer, low=1, high=1000)] = 2
    m_mul: Positive = 1.0
    alpha: Share = 0.0

    def shape(self, step: Array, xp: Any) -> Array:
        if self.t_mul == 1:
            cycle, place, length = step // self.steps, step % self.steps, self.steps
        else:
            ends = _ends(self.steps, self.t_mul)
            cycle = _passed(ends, step, xp)
            length = xp.take(
                xp.array([ends[0], *(high - low for low, high in pairwise(ends))], dtype="int64"),
                cycle,
            )
            place = step - xp.take(xp.array([0, *ends[:-1]], dtype="int64"), cycle)
        return (1 - self.alpha) * _power(xp, self.m_mul, cycle) * _half_cosine(
            xp.divide(place, length), xp
        ) + self.alpha
