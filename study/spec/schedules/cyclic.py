"""Schedules that rise and fall again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from study.errors import StudyError
from study.spec.schedules.base import (
    EXTRA,
    Array,
    Coefficients,
    Count,
    Fraction,
    Shape,
    Share,
    Steps,
    _power,
    _text,
)
from study.validation import choice

WINDOWS: dict[str, Callable[[Array, Any], Array]] = {
    "triangular": lambda x, xp: x,
    "welch": lambda x, xp: 1 - (1 - x) ** 2,
    "hann": lambda x, xp: xp.sin(math.pi / 2 * x) ** 2,
}
"""How a cycle rises from 0 at its ends to 1 in its middle, over x from 0 to 1."""


Window = Annotated[str, partial(choice, allowed=tuple(WINDOWS))]


class Cyclic(Shape):
    """A shape that rises and falls, and may cycle the momentum against the rate.

    Its `momentum` has the coefficients at the lowest rate and at the peak; empty leaves the
    optimizer its own.
    """

    climbs = True
    momentum: Coefficients

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.momentum) not in (0, 2) or any(value >= 1 for value in self.momentum):
            raise StudyError(
                f"momentum {_text(self.momentum)} must be two numbers from 0 to below 1, at the "
                "lowest rate and at the peak, such as 0.95/0.85"
            )

    def height(self, step: Array, xp: Any) -> Array:
        """How far it has risen at a step: from 0 at its foot to 1 at the peak."""
        raise NotImplementedError

    def coefficient(self, step: Array, xp: Any) -> Array:
        """See `Schedule.coefficient`; during the warm-up it stands as at the shape's step 0."""
        if not self.momentum:
            return super().coefficient(step, xp)
        foot, peak = self.momentum
        return foot - (foot - peak) * self.height(xp.maximum(step - self.warmup, 0), xp)

    @property
    def cycles_momentum(self) -> bool:
        """See `Schedule.cycles_momentum`."""
        return bool(self.momentum)


@dataclass(frozen=True, kw_only=True)
class Triangular(Cyclic):
    """base + (1 - base) window(x) in cycles of half + down steps, x from 0 to 1 and back.

    Cyclical rates, Smith 2017 (arXiv:1506.01186).

    Args:
        half: steps of half a cycle, the stepsize of the paper.
        base: the lowest factor; CLR's is 0.001 : 0.006.
        window: `triangular`, x; `welch`, 1 - (1 - x)^2; or `hann`, sin^2(pi x / 2).
        down: steps of the fall; 0 is as many as of the rise.
        momentum: the coefficients of momentum at the lowest rate and at the peak, as CyclicLR of
            PyTorch cycles it; empty leaves the optimizer its own.

    >>> import numpy as np
    >>> Triangular(half=100, base=0).factor(np.array([0, 50, 100, 150]), np).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """

    name = "triangular"
    half: Steps
    base: Share = 1 / 6
    window: Window = "triangular"
    down: Count = field(default=0, metadata=EXTRA)
    momentum: Coefficients = field(default=(), metadata=EXTRA)

    def shape(self, step: Array, xp: Any) -> Array:
        return self.base + (1 - self.base) * self.height(step, xp)

    def height(self, step: Array, xp: Any) -> Array:
        """See `Cyclic.height`: the window, times the amplitude of the cycle."""
        down, period = self.down or self.half, self._length()
        x = xp.minimum(xp.divide(step % period, self.half), xp.divide(period - step % period, down))
        return WINDOWS[self.window](x, xp) * self._height(step, xp)

    def _length(self) -> int:
        return self.half + (self.down or self.half)

    def _height(self, step: Array, xp: Any) -> Array:
        """The factor on the amplitude. As in CLR's code the base stays; its paper lowers both."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Triangular2(Triangular):
    """base + (1 - base) window(x) / 2^i in cycle i from 0: the amplitude halves.

    Args:
        half: as in `Triangular`.
        base: as in `Triangular`.
        window: as in `Triangular`.
        down: as in `Triangular`.
        momentum: as in `Triangular`.
    """

    name = "triangular2"

    def _height(self, step: Array, xp: Any) -> Array:
        return _power(xp, 0.5, step // self._length())


@dataclass(frozen=True, kw_only=True)
class ExpRange(Triangular):
    """base + (1 - base) window(x) gamma^t: the amplitude falls at every step.

    Args:
        half: as in `Triangular`.
        base: as in `Triangular`.
        window: as in `Triangular`.
        down: as in `Triangular`.
        momentum: as in `Triangular`.
        gamma: the factor on the amplitude at each step, in (0, 1].
    """

    name = "exp-range"
    gamma: Fraction

    def _height(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.gamma, step)
