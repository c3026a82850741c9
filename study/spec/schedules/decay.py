"""Schedules that fall, and those that start again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

from study.errors import StudyError
from study.spec.schedules.base import (
    EXTRA,
    LAST_STEP,
    Array,
    Boundaries,
    Factor,
    Factors,
    Flag,
    Positive,
    Shape,
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
class Exponential(Shape):
    """rate^(t / steps), down to `end`; where `rate` is above 1, up to `end`.

    Args:
        rate: the factor after `steps` steps; above 1 the rate grows, and needs an `end`.
        steps: see the formula.
        staircase: take the whole part of t / steps. As exponential_decay of TensorFlow 1.
        end: the floor of a decay, or the ceiling of a growth; 0 is none.

    >>> import numpy as np
    >>> round(Exponential(rate=0.5, steps=100).factor(200, np).item(), 6)
    0.25
    """

    name = "exponential"
    rate: Positive
    steps: Steps
    staircase: Flag = False
    end: Factor = field(default=0.0, metadata=EXTRA)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate > 1 and not self.end:
            raise StudyError(
                f"rate {self.rate:g} must be above 0, at most 1, unless end is given, the ceiling "
                "of a growth"
            )
        if self.end and (self.end < 1 if self.rate > 1 else self.end > 1):
            right = "at least 1, its ceiling" if self.rate > 1 else "at most 1, its floor"
            raise StudyError(f"end {self.end:g} at the rate {self.rate:g} must be {right}")

    def shape(self, step: Array, xp: Any) -> Array:
        power = _power(xp, self.rate, _periods(step, self.steps, self.staircase, xp))
        if not self.end:
            return power
        return xp.minimum(power, self.end) if self.rate > 1 else xp.maximum(power, self.end)

    def _climbs(self) -> bool:
        return self.rate > 1


@dataclass(frozen=True, kw_only=True)
class InverseTime(Shape):
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
class Piecewise(Shape):
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

    def _length(self) -> int:
        # The last factor holds after the last boundary.
        return self.boundaries[-1] + 2 if self.boundaries else 0


@dataclass(frozen=True, kw_only=True)
class Polynomial(Shape):
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
class Cosine(Shape):
    """(1 - alpha) ((1 + cos(pi t / steps)) / 2)^power + alpha, then `alpha`.

    Args:
        steps: steps of the decay.
        alpha: the last factor, in [0, 1]. Loshchilov and Hutter 2017, without restarts.
        power: see the formula, above 0.

    >>> import numpy as np
    >>> round(Cosine(steps=100).factor(50, np).item(), 6)
    0.5
    """

    name = "cosine"
    steps: Steps
    alpha: Share = 0.0
    power: Positive = field(default=1.0, metadata=EXTRA)

    def shape(self, step: Array, xp: Any) -> Array:
        left = xp.divide(xp.maximum(self.steps - step, 0), self.steps)
        return (1 - self.alpha) * _half_cosine(left, xp) ** self.power + self.alpha


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(Shape):
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
            cycle, left = step // self.steps, self.steps - step % self.steps
            length: Array = self.steps
        else:
            last = getattr(xp, "last_step", LAST_STEP)
            ends = _ends(self.steps, self.t_mul, last)
            lengths = [ends[0], *(high - low for low, high in pairwise(ends))]
            cycle = _passed([min(end, last) for end in ends], step, xp)
            length = xp.take(xp.array(lengths, dtype="float64"), cycle)
            left = xp.take(xp.array([min(end, last) for end in ends], dtype="int64"), cycle) - step
            # Of a cycle that no step can end, what lies beyond the last step is left, too.
            beyond = [float(end - min(end, last)) for end in ends]
            left = xp.add(left, xp.take(xp.array(beyond, dtype="float64"), cycle))
        return (1 - self.alpha) * _power(xp, self.m_mul, cycle) * _half_cosine(
            xp.divide(left, length), xp
        ) + self.alpha
