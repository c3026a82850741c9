"""Schedules as shapes: a factor on the learning rate for each step, written once for numpy and for Keras.

A schedule is text, `NAME[:key=value,key=value]`, lists with slashes: `exponential:rate=0.96,steps=100`,
`piecewise:boundaries=1000/2000,factors=1/0.1/0.01`. Its learning rate is the one that the factor 1 stands for: the first of a decay, the
peak of a cycle, the end of a ramp. Every schedule takes `warmup=N`: linear from 0 to its first value over N steps, then its own step 0.

Momentum does not cycle with any of them: an optimizer's other hyper-parameters stay as they are, also in one-cycle, whose authors lower
the momentum while the rate rises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache, partial
from itertools import pairwise
from typing import Annotated, Any, ClassVar, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.errors import StudyError
from study.values import choice, flag, integer, number, sequence, share

Array = Any
Check = Callable[[str, object], Any]

LAST_STEP = 2**62
"""No step comes later: where the starts of ever longer cycles are tabled, the table ends here."""


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
Share = Annotated[float, share]
Flag = Annotated[bool, flag]

WINDOWS: dict[str, Callable[[Array, Any], Array]] = {
    "triangular": lambda x, xp: x,
    "welch": lambda x, xp: 1 - (1 - x) ** 2,
    "hann": lambda x, xp: xp.sin(math.pi / 2 * x) ** 2,
}
"""How a cycle rises from 0 at its ends to 1 in its middle, over x from 0 to 1 (Welch's is a parabola, Hann's a squared sine)."""

Window = Annotated[str, partial(choice, allowed=tuple(WINDOWS))]

ONE_CYCLE: dict[str, dict[str, float]] = {
    "smith": {"div": 10.0, "div_final": 1e4, "pct_start": 0.45},
    "fastai": {"div": 25.0, "div_final": 1e5, "pct_start": 0.25},
}
"""Constants of one-cycle by kind. Smith's papers give the form alone; its three numbers are those of Géron's implementation."""

Kind = Annotated[str, partial(choice, allowed=tuple(ONE_CYCLE))]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A shape of the learning rate; equal schedules have equal text, and `parse(str(schedule)) == schedule`.

    Args:
        warmup: steps of linear warm-up before it.

    Raises:
        StudyError: a value is out of its range.
    """

    name: ClassVar[str]
    warmup: Count = 0

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)).items():
            object.__setattr__(self, name, check(name, getattr(self, name)))

    def shape(self, step: Array, xp: Any) -> Array:
        """The factor at a step, an integer or an array of them, with no warm-up before."""
        raise NotImplementedError

    def factor(self, step: Array, xp: Any) -> Array:
        """The factor on the learning rate at a step from 0, or at an array of steps.

        Args:
            step: integers, so that a place within a cycle is exact at any step.
            xp: `numpy` or `keras.ops`.
        """
        if not self.warmup:
            return self.shape(step, xp)
        # Until the warm-up is over the shape stands at its step 0.
        return xp.divide(xp.minimum(step, self.warmup), self.warmup) * self.shape(xp.maximum(step - self.warmup, 0), xp)

    @property
    def rises(self) -> bool:
        """Whether the factor may be larger at some step than at an earlier one."""
        return self.warmup > 0 or self._climbs()

    def _climbs(self) -> bool:
        return False

    def _usual(self, field: Field[Any]) -> Any:
        """The value that an argument has where it is not given."""
        return field.default

    def __str__(self) -> str:
        warmup, *own = fields(self)
        given = [(field.name, getattr(self, field.name)) for field in (*own, warmup) if getattr(self, field.name) != self._usual(field)]
        return ":".join([self.name, *([",".join(f"{name}={_text(value)}" for name, value in given)] if given else [])])


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """1."""

    name = "constant"

    def shape(self, step: Array, xp: Any) -> Array:
        return xp.ones_like(step, dtype="float32")


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """rate^(t / steps); with `staircase` the quotient is a whole number (TensorFlow 1's exponential_decay)."""

    name = "exponential"
    rate: Fraction
    steps: Steps
    staircase: Flag = False

    def shape(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.rate, _periods(step, self.steps, self.staircase, xp))


@dataclass(frozen=True, kw_only=True)
class InverseTime(Schedule):
    """1 / (1 + rate t / steps); with `staircase` t / steps is a whole number (TensorFlow 1's inverse_time_decay)."""

    name = "inverse-time"
    rate: Positive
    steps: Steps
    staircase: Flag = False

    def shape(self, step: Array, xp: Any) -> Array:
        return 1 / (1 + xp.multiply(self.rate, _periods(step, self.steps, self.staircase, xp)))


@dataclass(frozen=True, kw_only=True)
class Piecewise(Schedule):
    """factors[0] up to and with step boundaries[0], factors[i] up to and with boundaries[i], the last one after (TensorFlow 1, Keras)."""

    name = "piecewise"
    boundaries: Boundaries
    factors: Factors

    def __post_init__(self) -> None:
        super().__post_init__()
        listed = _text(self.boundaries)
        if not all(low < high for low, high in pairwise(self.boundaries)):
            raise StudyError(f"boundaries {listed} must rise")
        if len(self.factors) != len(self.boundaries) + 1:
            raise StudyError(f"factors {_text(self.factors)} must be {len(self.boundaries) + 1}, one more than the boundaries {listed}")

    def shape(self, step: Array, xp: Any) -> Array:
        return xp.take(xp.array(self.factors), _passed(self.boundaries, step - 1, xp))

    def _climbs(self) -> bool:
        return any(low < high for low, high in pairwise(self.factors))


@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """(1 - end) (1 - t / steps)^power + end, then `end`; with `cycle` over the first multiple of `steps` that t has not passed."""

    name = "polynomial"
    steps: Steps
    end: Share = 0.0
    power: Positive = 1.0
    cycle: Flag = False

    def shape(self, step: Array, xp: Any) -> Array:
        if self.cycle:
            left = 1 - xp.divide(step, self.steps * xp.maximum((step + self.steps - 1) // self.steps, 1))
        else:
            left = xp.divide(xp.maximum(self.steps - step, 0), self.steps)
        return (1 - self.end) * left**self.power + self.end

    def _climbs(self) -> bool:
        return self.cycle


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """(1 - alpha) (1 + cos(pi t / steps)) / 2 + alpha, then `alpha` (Loshchilov and Hutter 2017, without restarts)."""

    name = "cosine"
    steps: Steps
    alpha: Share = 0.0

    def shape(self, step: Array, xp: Any) -> Array:
        return (1 - self.alpha) * _half_cosine(xp.divide(xp.minimum(step, self.steps), self.steps), xp) + self.alpha


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(Schedule):
    """(1 - alpha) m_mul^i (1 + cos(pi x)) / 2 + alpha at the share x of cycle i, which is steps t_mul^i long.

    SGDR (Loshchilov and Hutter 2017), in Keras's form. Cycles are whole steps, so `t_mul` is a whole number.
    """

    name = "cosine-restarts"
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
            length = xp.take(xp.array([ends[0], *(high - low for low, high in pairwise(ends))], dtype="int64"), cycle)
            place = step - xp.take(xp.array([0, *ends[:-1]], dtype="int64"), cycle)
        return (1 - self.alpha) * _power(xp, self.m_mul, cycle) * _half_cosine(xp.divide(place, length), xp) + self.alpha

    def _climbs(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Triangular(Schedule):
    """base + (1 - base) window(x) in cycles of 2 `half` steps, x from 0 up to 1 in the middle of a cycle and down again (Smith 2017).

    Args:
        half: steps of half a cycle, the stepsize of the paper.
        base: the floor as a factor of the peak; CLR's is 0.001 : 0.006.
        window: `triangular`, `welch` (a parabola, 1 - (1 - x)^2) or `hann` (sin^2(pi x / 2)).
    """

    name = "triangular"
    half: Steps
    base: Share = 1 / 6
    window: Window = "triangular"

    def shape(self, step: Array, xp: Any) -> Array:
        x = xp.divide(self.half - xp.abs(step % (2 * self.half) - self.half), self.half)
        return self.base + (1 - self.base) * WINDOWS[self.window](x, xp) * self._height(step, xp)

    def _height(self, step: Array, xp: Any) -> Array:
        """What the amplitude is scaled by; the base never is (as in CLR's code; its paper lowers both bounds)."""
        return 1.0

    def _climbs(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Triangular2(Triangular):
    """`Triangular` whose amplitude halves after every cycle: base + (1 - base) window(x) / 2^i in cycle i from 0; the base stays."""

    name = "triangular2"

    def _height(self, step: Array, xp: Any) -> Array:
        return _power(xp, 0.5, step // (2 * self.half))


@dataclass(frozen=True, kw_only=True)
class ExpRange(Triangular):
    """`Triangular` whose amplitude falls at every step: base + (1 - base) window(x) gamma^t; the base stays."""

    name = "exp-range"
    gamma: Fraction

    def _height(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.gamma, step)


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """One rise to the peak and one fall; it stays at its last value, 1 / div_final of the peak.

    `smith`: linear from 1 / div up to the peak over the share `pct_start` of the steps, down as long again, and then on to 1 / div_final
    (Smith and Topin 2018). `fastai`: a half-cosine from 1 / div to the peak over `pct_start`, and one to 1 / div_final over the rest.
    A constant that is 0, as where it is not given, is the kind's own, see `ONE_CYCLE`. The peak falls on a whole step.
    """

    name = "one-cycle"
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
            raise StudyError(f"pct_start {self.pct_start:g} of {self.steps} steps leaves a phase no step: take more steps, or {less}")

    def _usual(self, field: Field[Any]) -> Any:
        return ONE_CYCLE[self.kind].get(field.name, field.default)

    def _knots(self) -> list[tuple[int, float]]:
        """The steps at which phases begin and end, with the factors there."""
        start, end, top = 1 / self.div, 1 / self.div_final, round(self.pct_start * self.steps)
        return [(0, start), (top, 1.0), *([(2 * top, start)] if self.kind == "smith" else []), (self.steps, end)]

    def shape(self, step: Array, xp: Any) -> Array:
        knots = self._knots()
        value: Array = knots[0][1]
        # A phase that is over has x = 1 and gives its end, one that is to come has x = 0 and changes nothing.
        for (begin, _), (end, aim) in pairwise(knots):
            x = xp.divide(xp.minimum(xp.maximum(step - begin, 0), end - begin), end - begin)
            done = x if self.kind == "smith" else 1 - _half_cosine(x, xp)
            value = (1 - done) * value + done * aim
        return value

    def _climbs(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class LinearRamp(Schedule):
    """low + (1 - low) t / steps, then 1."""

    name = "linear-ramp"
    low: Share
    steps: Steps

    def shape(self, step: Array, xp: Any) -> Array:
        return self.low + (1 - self.low) * xp.divide(xp.minimum(step, self.steps), self.steps)

    def _climbs(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class GeometricRamp(Schedule):
    """low^(1 - t / steps), then 1: each step by the same factor."""

    name = "geometric-ramp"
    low: Fraction
    steps: Steps

    def shape(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.low, xp.divide(xp.maximum(self.steps - step, 0), self.steps))

    def _climbs(self) -> bool:
        return True


SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind
    for kind in (
        Constant,
        Exponential,
        InverseTime,
        Piecewise,
        Polynomial,
        Cosine,
        CosineRestarts,
        Triangular,
        Triangular2,
        ExpRange,
        OneCycle,
        LinearRamp,
        GeometricRamp,
    )
}
"""The schedules by name."""


def parse(text: object) -> Schedule:
    """The schedule that a text names, `NAME[:key=value,key=value]`; a schedule is itself.

    Raises:
        StudyError: an unknown name or key, a key that is missing or comes twice, or a value out of its range.
    """
    if isinstance(text, Schedule):
        return text
    name, colon, rest = str(text).partition(":")
    kind = SCHEDULES[choice("schedule", name, tuple(SCHEDULES))]
    try:
        given: dict[str, str] = {}
        for part in rest.split(",") if colon else []:
            key, equals, value = part.partition("=")
            if not equals:
                raise StudyError(f"{part!r} must read key=value")
            if choice("key", key, tuple(_checks(kind))) in given:
                raise StudyError(f"{key} comes twice")
            given[key] = value
        missing = [field.name for field in fields(kind) if field.default is MISSING and field.name not in given]
        if missing:
            raise StudyError(f"{' and '.join(missing)} must be given, as in {name}:{','.join(f'{key}=...' for key in missing)}")
        return kind(**given)  # type: ignore[arg-type]  # a schedule checks and converts what it is made of
    except StudyError as error:
        raise StudyError(f"schedule {text!r}: {error}") from None


def rates(schedule: Schedule, learning_rates: ArrayLike, start: int, count: int) -> NDArray[np.float64]:
    """The rates (T, K) of lanes of learning rates (K,) at the T = `count` steps from `start` on."""
    factors = schedule.factor(np.arange(start, start + count), np)
    return np.asarray(factors, np.float64)[:, None] * np.asarray(learning_rates, np.float64)


def _checks(kind: type[Schedule]) -> dict[str, Check]:
    """What checks each argument, by its name: the annotation of its type; own arguments first, `warmup` last."""
    hints = get_type_hints(kind, include_extras=True)
    warmup, *own = fields(kind)
    return {field.name: hints[field.name].__metadata__[0] for field in (*own, warmup)}


@cache
def _ends(steps: int, t_mul: int) -> tuple[int, ...]:
    """The steps at which cycles of length steps, steps t_mul, steps t_mul^2, ... end, up to `LAST_STEP`."""
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
    """base^exponent, by the logarithm: in single precision a base near one is too coarse to be raised to a number of steps."""
    return xp.exp(xp.multiply(math.log(base), exponent))


def _half_cosine(x: Array, xp: Any) -> Array:
    """(1 + cos(pi x)) / 2: from 1 at x = 0 to 0 at x = 1."""
    return (1 + xp.cos(math.pi * x)) / 2


def _text(value: Any) -> str:
    """A value as it is written: the shortest digits that read back as the same number, lists with slashes."""
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def told() -> list[tuple[str, str, str]]:
    """Each schedule's name, its arguments with what they are where they are not given, and what it is in a line."""
    rows = []
    for name, kind in SCHEDULES.items():
        warmup, *own = fields(kind)
        given = [field.name if field.default is MISSING else f"{field.name}={_shown(field.default)}" for field in (*own, warmup)]
        rows.append((name, ", ".join(given), str(kind.__doc__).split("\n")[0]))
    return rows


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else _text(value)


CONSTANT = Constant()
