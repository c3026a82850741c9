"""The one cycle: one rise and one fall over the whole training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

from study.errors import StudyError
from study.spec.schedules.base import (
    EXTRA,
    Array,
    Coefficients,
    Divisor,
    Fraction,
    Share,
    Steps,
    _half_cosine,
    _text,
)
from study.spec.schedules.cyclic import Cyclic
from study.validation import choice, integer

ONE_CYCLE: dict[str, dict[str, Any]] = {
    "smith": {
        "div": 10.0,
        "div_final": 1e4,
        "pct_start": 0.45,
        "phases": 3,
        "anneal": "linear",
    },
    "fastai": {
        "div": 25.0,
        "div_final": 1e5,
        "pct_start": 0.25,
        "phases": 2,
        "anneal": "cosine",
    },
}
"""What one-cycle takes where it is not given, by kind. Smith's papers give the form alone; its
three numbers are those of Géron's implementation.
"""


ANNEALS: dict[str, Callable[[Array, Any], Array]] = {
    "linear": lambda x, xp: x,
    "cosine": _half_cosine,
}
"""How a phase goes from its begin to its end, over x from 0 to 1."""


Kind = Annotated[str, partial(choice, allowed=tuple(ONE_CYCLE))]


Anneal = Annotated[str, partial(choice, allowed=tuple(ANNEALS))]


Phases = Annotated[int, partial(integer, low=2, high=3)]


@dataclass(frozen=True, kw_only=True)
class OneCycle(Cyclic):
    """A rise from 1 / div to the peak, a fall to 1 / div_final, then constant; 0: the kind's own.

    Smith and Topin 2018. See `ONE_CYCLE` for the values of each kind.

    Args:
        steps: steps of the cycle.
        kind: the values of what is not given. `smith` rises linearly, falls over as many steps, and
            then falls on. `fastai` rises along a half-cosine, and falls along another over the
            rest.
        div: the peak over the first rate.
        div_final: the peak over the last rate.
        pct_start: share of the steps before the peak, which falls on a whole step.
        pct_final: share of the steps before the last of three phases; 0 is twice pct_start.
        phases: 3, up, down to the first rate, and on to the last; or 2, up, and down to the last.
        anneal: `linear` or `cosine`, the form of each phase.
        momentum: the coefficients of momentum at the first rate and at the peak, as Smith has it;
            below the first rate it stays. Empty leaves the optimizer its own.

    >>> import numpy as np
    >>> OneCycle(steps=1000, div=10).factor(np.array([0, 450]), np).tolist()
    [0.1, 1.0]
    """

    name = "one-cycle"
    steps: Steps
    kind: Kind = "smith"
    div: Divisor = 0.0
    div_final: Divisor = 0.0
    pct_start: Fraction = 0.0
    pct_final: Share = field(default=0.0, metadata=EXTRA)
    phases: Phases = 0
    anneal: Anneal = ""
    momentum: Coefficients = field(default=(), metadata=EXTRA)

    def __post_init__(self) -> None:
        for name, value in ONE_CYCLE.get(self.kind, {}).items():
            if getattr(self, name) in (0, ""):
                object.__setattr__(self, name, value)
        super().__post_init__()
        if self.pct_final and self.phases == 2:
            raise StudyError(
                f"pct_final {self.pct_final:g} is of three phases: give phases=3, or leave it out"
            )
        if not all(low < high for low, high in pairwise(self._ends())):
            less = "a smaller pct_start" if self.phases == 2 else "a pct_start below 0.5"
            if self.pct_final:
                less = "a pct_final between pct_start and 1"
            raise StudyError(
                f"pct_start {self.pct_start:g} of {self.steps} steps leaves a phase no step: "
                f"take more steps, or {less}"
            )

    def _usual(self, field: Field[Any]) -> Any:
        return ONE_CYCLE[self.kind].get(field.name, field.default)

    @classmethod
    def told(cls, field: Field[Any]) -> str:
        """See `Shape.told`: of the usual kind, and of each other in brackets."""
        own = {
            kind: _text(values[field.name])
            for kind, values in ONE_CYCLE.items()
            if field.name in values
        }
        if not own:
            return super().told(field)
        usual = own.pop(cls.kind)
        others = [f"{kind} {value}" for kind, value in own.items() if value != usual]
        return f"{usual} ({', '.join(others)})" if others else usual

    def _ends(self) -> list[int]:
        """The steps at which phases begin and end."""
        top = round(self.pct_start * self.steps)
        fallen = round(self.pct_final * self.steps) if self.pct_final else 2 * top
        return [0, top, *([fallen] if self.phases == 3 else []), self.steps]

    def shape(self, step: Array, xp: Any) -> Array:
        start, end = 1 / self.div, 1 / self.div_final
        return self._through([start, 1.0, *([start] if self.phases == 3 else []), end], step, xp)

    def height(self, step: Array, xp: Any) -> Array:
        """See `Cyclic.height`."""
        return self._through([0.0, 1.0, *([0.0] if self.phases == 3 else []), 0.0], step, xp)

    def _through(self, values: Sequence[float], step: Array, xp: Any) -> Array:
        """The way through these values, one at each end of a phase."""
        value: Array = values[0]
        # A phase that is over has x = 1 and gives its end, one that is to come has x = 0 and
        # changes nothing.
        for (begin, end), aim in zip(pairwise(self._ends()), values[1:], strict=True):
            x = xp.divide(xp.minimum(xp.maximum(step - begin, 0), end - begin), end - begin)
            done = ANNEALS[self.anneal](x, xp)
            value = (1 - done) * value + done * aim
        return value
