"""Schedules made of schedules: a product, and one after another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from study.errors import StudyError
from study.spec.schedules.base import Array, Schedule, _steps


@dataclass(frozen=True)
class Product(Schedule):
    """a * b: the product of the factors at each step.

    Args:
        parts: two or more; one at most sets the momentum.

    >>> from study.spec.schedules.parse import parse
    >>> halves = parse("exponential:rate=0.5,steps=10 * linear-ramp:low=0,steps=20")
    >>> round(halves.factor(np.array(10), np).item(), 6)
    0.25
    """

    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        # Equal products have equal parts, however they were put in brackets.
        flat = [part.parts if isinstance(part, Product) else (part,) for part in self.parts]
        object.__setattr__(self, "parts", tuple(part for parts in flat for part in parts))
        if sum(part.cycles_momentum for part in self.parts) > 1:
            raise StudyError(f"{self}: two parts cycle the momentum, and one at most may")

    def factor(self, step: Array, xp: Any) -> Array:
        """See `Schedule.factor`."""
        return math.prod(part.factor(step, xp) for part in self.parts)

    def coefficient(self, step: Array, xp: Any) -> Array:
        """See `Schedule.coefficient`: that of the part that sets it."""
        setting = [part for part in self.parts if part.cycles_momentum]
        return (setting or self.parts)[0].coefficient(step, xp)

    @property
    def rises(self) -> bool:
        """See `Schedule.rises`."""
        return any(part.rises for part in self.parts)

    @property
    def cycles_momentum(self) -> bool:
        """See `Schedule.cycles_momentum`."""
        return any(part.cycles_momentum for part in self.parts)

    @property
    def length(self) -> int:
        """See `Schedule.length`."""
        return max(part.length for part in self.parts)

    @property
    def plateaus(self) -> tuple[Any, ...]:
        """See `Schedule.plateaus`."""
        return tuple(plateau for part in self.parts for plateau in part.plateaus)

    def __str__(self) -> str:
        return " * ".join(
            f"({part})" if isinstance(part, Joined) else str(part) for part in self.parts
        )


@dataclass(frozen=True)
class Joined(Schedule):
    """a then b at n: a up to step n, and from there b, whose own steps begin at 0.

    Args:
        parts: two or more.
        starts: the step at which each part but the first begins; they rise.

    >>> from study.spec.schedules.parse import parse
    >>> joined = parse("constant then cosine:steps=10 at 100")
    >>> joined.factor(np.array([99, 100, 110]), np).tolist()
    [1.0, 1.0, 0.0]
    """

    parts: tuple[Schedule, ...]
    starts: tuple[int, ...]

    def __post_init__(self) -> None:
        starts = tuple(_steps("at", start) for start in self.starts)
        object.__setattr__(self, "starts", starts)
        if len(self.parts) != len(starts) + 1:
            raise StudyError(f"{len(self.parts)} parts need {len(self.parts) - 1} steps to join at")
        if not all(low < high for low, high in pairwise(starts)):
            listed = ", ".join(map(str, starts))
            raise StudyError(f"{self}: the steps {listed} at which parts begin must rise")
        if any(part.plateaus for part in self.parts):
            raise StudyError(
                f"{self}: a plateau follows a whole trial, so it cannot begin at a step: multiply "
                "by it, as in (a then b at 100) * plateau"
            )

    def factor(self, step: Array, xp: Any) -> Array:
        """See `Schedule.factor`."""
        return self._chosen([part.factor for part in self.parts], step, xp)

    def coefficient(self, step: Array, xp: Any) -> Array:
        """See `Schedule.coefficient`."""
        return self._chosen([part.coefficient for part in self.parts], step, xp)

    def _chosen(self, functions: list[Any], step: Array, xp: Any) -> Array:
        """The value of the part that each step falls to, at the part's own step."""
        value = functions[0](step, xp)
        for start, function in zip(self.starts, functions[1:], strict=True):
            # A part that is to come stands at its step 0, and is not taken.
            value = xp.where(step >= start, function(xp.maximum(step - start, 0), xp), value)
        return value

    @property
    def rises(self) -> bool:
        """See `Schedule.rises`: within a part, or from one to the next."""
        at = np.array(self.starts)
        before, after = self.factor(at - 1, np), self.factor(at, np)
        return any(part.rises for part in self.parts) or bool((after > before).any())

    @property
    def cycles_momentum(self) -> bool:
        """See `Schedule.cycles_momentum`."""
        return any(part.cycles_momentum for part in self.parts)

    @property
    def length(self) -> int:
        """See `Schedule.length`."""
        return self.starts[-1] + max(self.parts[-1].length, 1)

    def __str__(self) -> str:
        first, *rest = (
            f"({part})" if isinstance(part, Joined) else str(part) for part in self.parts
        )
        later = (f" then {part} at {start}" for part, start in zip(rest, self.starts, strict=True))
        return first + "".join(later)


def _bracketed(part: Schedule) -> str:
    """A part's text, in brackets where it would be read otherwise."""
    return f"({part})" if isinstance(part, Joined) else str(part)
