"""What a schedule is: a factor on the learning rate at each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field, fields
from functools import cache, partial
from typing import Annotated, Any, ClassVar, get_type_hints

from study.errors import StudyError
from study.validation import flag, integer, number, sequence

Array = Any


Check = Callable[[str, object], Any]


LAST_STEP = 2**62
"""No step comes later. The table of the ends of ever longer cycles ends here, or earlier where the
integers of the array library are short: at its `last_step`.
"""


HIGHEST_FACTOR = 1e12
"""No factor is higher: growth ends here."""


def _list_of(check: Check) -> Check:
    """A check of every value of a list, or of a text separated by slashes."""

    def checked(field: str, value: object) -> tuple[Any, ...]:
        parts = value.split("/") if isinstance(value, str) else sequence(field, value)
        return tuple(check(field, part) for part in parts)

    return checked


_steps: Check = partial(integer, low=1, high=10**9)


_positive: Check = partial(number, low=0, high=HIGHEST_FACTOR)


_coefficient: Check = partial(number, low=0, high=1, inclusive=True)


Steps = Annotated[int, _steps]


Count = Annotated[int, partial(integer, low=0, high=10**9)]


Boundaries = Annotated[tuple[int, ...], _list_of(partial(integer, low=0, high=10**9))]


Positive = Annotated[float, _positive]


Factors = Annotated[tuple[float, ...], _list_of(_positive)]


Fraction = Annotated[float, partial(number, low=0, high=1)]


Factor = Annotated[float, partial(number, low=0, high=HIGHEST_FACTOR, inclusive=True)]


Divisor = Annotated[float, partial(number, low=1, high=1e12)]


Share = Annotated[float, partial(number, low=0, high=1, inclusive=True)]


Flag = Annotated[bool, flag]


Coefficients = Annotated[tuple[float, ...], _list_of(_coefficient)]


class Schedule:
    """A factor on the learning rate at each step.

    Equal schedules have equal text, and `parse(str(schedule)) == schedule`.
    """

    def factor(self, step: Array, xp: Any) -> Array:
        """The factor on the learning rate.

        Args:
            step: the step from 0, or an array of steps; integers, so that the place within a cycle
                is exact at any step.
            xp: the module that computes: `numpy`, or another with the same functions.

        Returns:
            The factors, in the shape of `step`.
        """
        raise NotImplementedError

    def coefficient(self, step: Array, xp: Any) -> Array:
        """The coefficient of momentum at each step; NaN leaves the optimizer its own."""
        return xp.full_like(step, math.nan, dtype="float64")

    @property
    def rises(self) -> bool:
        """Whether the factor may be larger at some step than at an earlier one."""
        raise NotImplementedError

    @property
    def cycles_momentum(self) -> bool:
        """Whether it sets the coefficient of momentum anywhere."""
        return False

    @property
    def length(self) -> int:
        """The steps in which it shows its whole shape; of a cycle, the first one."""
        raise NotImplementedError

    @property
    def plateaus(self) -> tuple[Any, ...]:
        """Its parts that follow a trial's checks; see `study.spec.schedules.plateau`."""
        return ()


EXTRA = {"extra": True}
"""Of a field of a schedule that few need: a list of the schedules names it last."""


@dataclass(frozen=True, kw_only=True)
class Shape(Schedule):
    """A schedule with a name and arguments.

    Args:
        warmup: steps of linear warm-up before the shape begins.
        warmup_from: the factor that the warm-up begins at.

    Raises:
        StudyError: a value is out of its range.
    """

    name: ClassVar[str]
    climbs: ClassVar[bool] = False
    warmup: Count = 0
    warmup_from: Factor = field(default=0.0, metadata=EXTRA)

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)).items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if self.warmup_from and not self.warmup:
            raise StudyError(
                f"warmup_from {self.warmup_from:g} needs a warm-up: give warmup, its steps, too"
            )

    def shape(self, step: Array, xp: Any) -> Array:
        """The factor at a step or an array of steps, without the warm-up."""
        raise NotImplementedError

    def factor(self, step: Array, xp: Any) -> Array:
        """See `Schedule.factor`: warmup_from + (shape - warmup_from) t / warmup, then the shape."""
        if not self.warmup:
            return self.shape(step, xp)
        # Until the warm-up is over the shape stands at its step 0.
        done = xp.divide(xp.minimum(step, self.warmup), self.warmup)
        return done * self.shape(xp.maximum(step - self.warmup, 0), xp) + self.warmup_from * (
            1 - done
        )

    @property
    def rises(self) -> bool:
        """See `Schedule.rises`."""
        return self.warmup > 0 or self._climbs()

    def _climbs(self) -> bool:
        return self.climbs

    @property
    def length(self) -> int:
        """See `Schedule.length`."""
        return self.warmup + self._length()

    def _length(self) -> int:
        """The steps of the shape, without the warm-up."""
        steps: int = getattr(self, "steps", 0)
        return steps

    def _usual(self, field: Field[Any]) -> Any:
        """The value of an argument that is not given."""
        return field.default

    @classmethod
    def told(cls, field: Field[Any]) -> str:
        """The default of an argument, as a list of the schedules tells it."""
        value = field.default
        return f"{value:.3g}" if isinstance(value, float) else _text(value)

    def __str__(self) -> str:
        given = [
            (field.name, getattr(self, field.name))
            for field in arguments(type(self))
            if getattr(self, field.name) != self._usual(field)
        ]
        return ":".join(
            [
                self.name,
                *([",".join(f"{name}={_text(value)}" for name, value in given)] if given else []),
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Constant(Shape):
    """1."""

    name = "constant"

    def shape(self, step: Array, xp: Any) -> Array:
        return xp.ones_like(step, dtype="float32")


def arguments(kind: type[Shape]) -> list[Field[Any]]:
    """The arguments of a schedule: its own first, those of the warm-up last."""
    common = len(fields(Shape))
    return [*fields(kind)[common:], *fields(kind)[:common]]


def _checks(kind: type[Shape]) -> dict[str, Check]:
    """The check of each argument, by its name."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in arguments(kind)}


@cache
def _ends(steps: int, t_mul: int, last: int = LAST_STEP) -> tuple[int, ...]:
    """The steps at which cycles of length steps, steps t_mul, steps t_mul^2, ... end.

    The last one is the first that ends at `last` or later.
    """
    ends = [steps]
    while ends[-1] < last:
        ends.append(ends[-1] * t_mul + steps)
    return tuple(ends)


def _passed(ends: Sequence[int], step: Array, xp: Any) -> Array:
    """How many of the rising `ends` are at or before each step."""
    return xp.sum(xp.expand_dims(step, -1) >= xp.array(ends, dtype="int64"), axis=-1)


def _periods(step: Array, steps: int, staircase: bool, xp: Any) -> Array:
    """t / steps, or its whole part."""
    return step // steps if staircase else xp.divide(step, steps)


def _power(xp: Any, base: float, exponent: Array) -> Array:
    """base^exponent, by the logarithm, and at most `HIGHEST_FACTOR`.

    In single precision a base near one is too coarse to be raised to a number of steps.
    """
    power = xp.multiply(math.log(base), exponent)
    return xp.exp(power if base <= 1 else xp.minimum(power, math.log(HIGHEST_FACTOR)))


def _half_cosine(left: Array, xp: Any) -> Array:
    """(1 - cos(pi x)) / 2: from 1 at x = 1 to 0 at x = 0, where x is the share that is left.

    As the square of a sine it is exact near 0 in single precision, too.
    """
    return xp.sin(math.pi / 2 * left) ** 2


def _text(value: Any) -> str:
    """A value as text: the shortest digits that read back as the same number."""
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)
