"""What a schedule is: a factor on the learning rate at each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, fields
from functools import cache, partial
from typing import Annotated, Any, ClassVar, get_type_hints

from study.validation import flag, integer, number, sequence

Array = Any


Check = Callable[[str, object], Any]


LAST_STEP = 2**62
"""No step comes later. The table of the starts of ever longer cycles ends here."""


def _list_of(check: Check) -> Check:
    """A check of every value of a list, or of a text separated by slashes."""

    def checked(field: str, value: object) -> tuple[Any, ...]:
        parts = value.split("/") if isinstance(value, str) else sequence(field, value)
        return tuple(check(field, part) for part in parts)

    return checked


_steps: Check = partial(integer, low=1, high=10**9)


_positive: Check = partial(number, low=0, high=1e12)


Steps = Annotated[int, _steps]


Count = Annotated[int, partial(integer, low=0, high=10**9)]


Boundaries = Annotated[tuple[int, ...], _list_of(partial(integer, low=0, high=10**9))]


Positive = Annotated[float, _positive]


Factors = Annotated[tuple[float, ...], _list_of(_positive)]


Fraction = Annotated[float, partial(number, low=0, high=1)]


Divisor = Annotated[float, partial(number, low=1, high=1e12)]


Share = Annotated[float, partial(number, low=0, high=1, inclusive=True)]


Flag = Annotated[bool, flag]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A shape of the learning rate: a factor on it at each step.

    Equal schedules have equal text, and `parse(str(schedule)) == schedule`.

    Args:
        warmup: steps of linear warm-up before the shape begins.

    Raises:
        StudyError: a value is out of its range.
    """

    name: ClassVar[str]
    climbs: ClassVar[bool] = False
    warmup: Count = 0

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)).items():
            object.__setattr__(self, name, check(name, getattr(self, name)))

    def shape(self, step: Array, xp: Any) -> Array:
        """The factor at a step or an array of steps, without the warm-up."""
        raise NotImplementedError

    def factor(self, step: Array, xp: Any) -> Array:
        """The factor on the learning rate.

        Args:
            step: the step from 0, or an array of steps; integers, so that the place within a cycle
                is exact at any step.
            xp: the module that computes, `numpy` or `keras.ops`.

        Returns:
            The factors, in the shape of `step`.
        """
        if not self.warmup:
            return self.shape(step, xp)
        # Until the warm-up is over the shape stands at its step 0.
        return xp.divide(xp.minimum(step, self.warmup), self.warmup) * self.shape(
            xp.maximum(step - self.warmup, 0), xp
        )

    @property
    def rises(self) -> bool:
        """Whether the factor may be larger at some step than at an earlier one."""
        return self.warmup > 0 or self._climbs()

    def _climbs(self) -> bool:
        return self.climbs

    def _usual(self, field: Field[Any]) -> Any:
        """The value of an argument that is not given."""
        return field.default

    def __str__(self) -> str:
        warmup, *own = fields(self)
        given = [
            (field.name, getattr(self, field.name))
            for field in (*own, warmup)
            if getattr(self, field.name) != self._usual(field)
        ]
        return ":".join(
            [
                self.name,
                *([",".join(f"{name}={_text(value)}" for name, value in given)] if given else []),
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """1."""

    name = "constant"

    def shape(self, step: Array, xp: Any) -> Array:
        return xp.ones_like(step, dtype="float32")


def _checks(kind: type[Schedule]) -> dict[str, Check]:
    """The check of each argument, by its name: own arguments first, `warmup` last."""
    hints = get_type_hints(kind, include_extras=True)
    warmup, *own = fields(kind)
    return {field.name: hints[field.name].__metadata__[0] for field in (*own, warmup)}


@cache
def _ends(steps: int, t_mul: int) -> tuple[int, ...]:
    """The steps at which cycles of length steps, steps t_mul, steps t_mul^2, ... end."""
    ends = [steps]
    while ends[-1] * t_mul + steps <= LAST_STEP:
        ends.append(ends[-1] * t_mul + steps)
    return tuple(ends)


def _passed(ends: Sequence[int], step: Array, xp: Any) -> Array:
    """How many of the rising `ends` are at or before each step."""
    return xp.sum(xp.expand_dims(step, -1) >= xp.array(ends, dtype="int64"), axis=-1)


def _periods(step: Array, steps: int, staircase: bool, xp: Any) -> Array:
    """t / steps, or its whole part."""
    return step // steps if staircase else xp.divide(step, steps)


def _power(xp: Any, base: float, exponent: Array) -> Array:
    """base^exponent, by the logarithm.

    In single precision a base near one is too coarse to be raised to a number of steps.
    """
    return xp.exp(xp.multiply(math.log(base), exponent))


def _half_cosine(x: Array, xp: Any) -> Array:
    """(1 + cos(pi x)) / 2: from 1 at x = 0 to 0 at x = 1."""
    return (1 + xp.cos(math.pi * x)) / 2


def _text(value: Any) -> str:
    """A value as text: the shortest digits that read back as the same number."""
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)
