"""Schedules that rise and fall: cycles, and the one cycle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import Field, dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

from study.errors import StudyError
from study.spec.schedules.base import (
    Array,
    Divisor,
    Fraction,
    Schedule,
    Share,
    Steps,
    _half_cosine,
    _power,
)
from study.validation import choice

WINDOWS: dict[str, Callable[[Array, Any], Array]] = {
    "triangular": lambda x, xp: x,
    "welch": lambda x, xp: 1 - (1 - x) ** 2,
    "hann": lambda x, xp: xp.sin(math.pi / 2 * x) ** 2,
}
"""How a cycle rises from 0 at its ends to 1 in its middle, over x from 0 to 1."""


Window = Annotated[str, partial(choice, allowed=tuple(WINDOWS))]


ONE_CYCLE: dict[str, dict[str, float]] = {
    "smith": {"div": 10.0, "div_final": 1e4, "pct_start": 0.45},
    "fastai": {"div": 25.0, "div_final": 1e5, "pct_start": 0.25},
}
"""Constants of one-cycle by kind. Smith's papers give the form alone; its three numbers are those
of Géron's implementation.
"""


Kind = Annotated[str, partial(choice, allowed=tuple(ONE_CYCLE))]


@dataclass(frozen=True, kw_only=True)
class Triangular(Schedule):
    """base + (1 - base) window(x) in cycles of 2 half steps, x from 0 to 1 and back.

    Cyclical rates, Smith 2017 (arXiv:1506.01186).

    Args:
        half: steps of half a cycle, the stepsize of the paper.
        base: the lowest factor; CLR's is 0.001 : 0.006.
        window: `triangular`, x; `welch`, 1 - (1 - x)^2; or `hann`, sin^2(pi x / 2).

    >>> import numpy as np
    >>> Triangular(half=100, base=0).factor(np.array([0, 50, 100, 150]), np).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """

    name = "triangular"
    climbs = True
    half: Steps
    base: Share = 1 / 6
    window: Window = "triangular"

    def shape(self, step: Array, xp: Any) -> Array:
        x = xp.divide(self.half - xp.abs(step % (2 * self.half) - self.half), self.half)
        return self.base + (1 - self.base) * WINDOWS[self.window](x, xp) * self._height(step, xp)

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
    """

    name = "triangular2"

    def _height(self, step: Array, xp: Any) -> Array:
        return _power(xp, 0.5, step // (2 * self.half))


@dataclass(frozen=True, kw_only=True)
class ExpRange(Triangular):
    """base + (1 - base) window(x) gamma^t: the amplitude falls at every step.

    Args:
        half: as in `Triangular`.
        base: as in `Triangular`.
        window: as in `Triangular`.
        gamma: the factor on the amplitude at each step, in (0, 1].
    """

    name = "exp-range"
    gamma: Fraction

    def _height(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.gamma, step)


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """A rise from 1 / div to the peak, a fall to 1 / div_final, then constant; 0: the kind's own.

    Args:
        steps: steps of the cycle.
        kind: `smith` rises linearly over the share `pct_start` of the steps, falls over as many
            again, and then falls on (Smith and Topin 2018). `fastai` rises along a half-cosine over
            `pct_start`, and falls along another over the rest.
        div: the peak over the first rate; 0 is the kind's own, see `ONE_CYCLE`.
        div_final: the peak over the last rate; 0 is the kind's own.
        pct_start: share of the steps before the peak, which falls on a whole step; 0 is the kind's
            own.

    >>> import numpy as np
    >>> OneCycle(steps=1000, div=10).factor(np.array([0, 450]), np).tolist()
    [0.1, 1.0]
    """

    name = "one-cycle"
    climbs = True
    steps: Steps
    kind: Kind = "smith"
    div: Divisor = 0.0
    div_final: Divisor = 0.0
    pct_start: Fraction = 0.0

    def __post_init__(self) -> None:
        for name, value in ONE_CYCLE.get(self.kind, {}).items():
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        super().__post_init__()
        if not all(low < high for (low, _), (high, _) in pairwise(self._knots())):
            less = "a pct_start below 0.5" if self.kind == "smith" else "a smaller pct_start"
            raise StudyError(
                f"pct_start {self.pct_start:g} of {self.steps} steps leaves a phase no step: "
                f"take more steps, or {less}"
            )

    def _usual(self, field: Field[Any]) -> Any:
        return ONE_CYCLE[self.kind].get(field.name, field.default)

    def _knots(self) -> list[tuple[int, float]]:
        """The steps at which phases begin and end, each with its factor."""
        start, end, top = 1 / self.div, 1 / self.div_final, round(self.pct_start * self.steps)
        return [
            (0, start),
            (top, 1.0),
            *([(2 * top, start)] if self.kind == "smith" else []),
            (self.steps, end),
        ]

    def shape(self, step: Array, xp: Any) -> Array:
        knots = self._knots()
        value: Array = knots[0][1]
        # A phase that is over has x = 1 and gives its end, one that is to come has x = 0 and
        # changes nothing.
        for (begin, _), (end, aim) in pairwise(knots):
            x = xp.divide(xp.minimum(xp.maximum(step - begin, 0), end - begin), end - begin)
            done = x if self.kind == "smith" else 1 - _half_cosine(x, xp)
            value = (1 - done) * value + done * aim
        return value
