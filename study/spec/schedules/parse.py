"""Schedules by name: their text form, and their rates."""

from __future__ import annotations

from dataclasses import MISSING, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.errors import StudyError
from study.spec.schedules.base import Constant, Schedule, Shape, _checks, arguments
from study.spec.schedules.cyclic import ExpRange, Triangular, Triangular2
from study.spec.schedules.decay import (
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    Piecewise,
    Polynomial,
)
from study.spec.schedules.grammar import compound, is_compound
from study.spec.schedules.one_cycle import OneCycle
from study.spec.schedules.plateau import Plateau
from study.spec.schedules.ramps import GeometricRamp, LinearRamp
from study.validation import choice

SCHEDULES: dict[str, type[Shape]] = {
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
"""The schedules by name: functions of the step alone."""


NAMED: dict[str, type[Shape]] = {**SCHEDULES, Plateau.name: Plateau}
"""All that a text may name."""


def parse(text: object) -> Schedule:
    """The schedule that a text names. A schedule names itself.

    A text is `NAME[:key=value,key=value]`, a product `A * B`, or `A then B at N`: A up to step N,
    and from there B, as from its own step 0. A product binds first, and brackets change that.

    >>> parse("cosine:steps=2000,warmup=100").warmup
    100
    >>> str(parse("constant then (cosine:steps=500) at 100"))
    'constant then cosine:steps=500 at 100'

    Raises:
        StudyError: an unknown name or key, a key that is missing or comes twice, a value out of its
            range, or parts that do not fit together.
    """
    if isinstance(text, Schedule):
        return text
    return compound(str(text), _shape) if is_compound(str(text)) else _shape(text)


def _shape(text: object) -> Shape:
    """The shape that `NAME[:key=value,key=value]` names."""
    name, colon, rest = str(text).partition(":")
    kind = NAMED[choice("schedule", name, tuple(NAMED))]
    try:
        given: dict[str, str] = {}
        for part in rest.split(",") if colon else []:
            key, equals, value = part.partition("=")
            if not equals:
                raise StudyError(f"{part!r} must read key=value")
            if choice("key", key, tuple(_checks(kind))) in given:
                raise StudyError(f"{key} comes twice")
            given[key] = value
        missing = [
            field.name
            for field in fields(kind)
            if field.default is MISSING and field.name not in given
        ]
        if missing:
            raise StudyError(
                f"{' and '.join(missing)} must be given, as in "
                f"{name}:{','.join(f'{key}=...' for key in missing)}"
            )
        return kind(**given)  # type: ignore[arg-type]  # a schedule checks and converts what it is made of
    except StudyError as error:
        raise StudyError(f"schedule {text!r}: {error}") from None


def rates(
    schedule: Schedule, learning_rates: ArrayLike, start: int, count: int
) -> NDArray[np.float64]:
    """The rates of several lanes over some steps.

    Args:
        schedule: the factor on the learning rate.
        learning_rates: (K,), one a lane.
        start: the first step.
        count: T, the number of steps.

    Returns:
        (T, K).

    >>> rates(parse("linear-ramp:low=0.5,steps=2"), [0.25, 1.0], 0, 3).tolist()
    [[0.125, 0.5], [0.1875, 0.75], [0.25, 1.0]]
    """
    factors = schedule.factor(np.arange(start, start + count), np)
    return np.asarray(factors, np.float64)[:, None] * np.asarray(learning_rates, np.float64)


def momenta(schedule: Schedule, lanes: int, start: int, count: int) -> NDArray[np.float64] | None:
    """The coefficients of momentum of several lanes over some steps.

    Args:
        schedule: may cycle the momentum.
        lanes: K.
        start: the first step.
        count: T, the number of steps.

    Returns:
        (T, K), NaN where an optimizer keeps its own; None where all do, at all steps.

    >>> one = parse("one-cycle:steps=100,momentum=0.95/0.85")
    >>> momenta(one, 1, 0, 46)[[0, 45]].tolist()
    [[0.95], [0.85]]
    """
    if not schedule.cycles_momentum:
        return None
    found = np.asarray(schedule.coefficient(np.arange(start, start + count), np), np.float64)
    return np.tile(found[:, None], (1, lanes))


def describe() -> list[tuple[str, str, str]]:
    """Each schedule's name, its arguments with their defaults, and its formula in a line."""
    rows = []
    for name, kind in NAMED.items():
        usual: list[str] = []
        extras: list[str] = []
        for field in arguments(kind):
            # An extra that is 0 or empty is not used, and its value would tell nothing.
            named = field.default is MISSING or (field.metadata and not field.default)
            told = field.name if named else f"{field.name}={kind.told(field)}"
            (extras if field.metadata else usual).append(told)
        also = f"; also {', '.join(extras)}" if extras else ""
        rows.append((name, ", ".join(usual) + also, str(kind.__doc__).split("\n")[0]))
    rows.append(("A * B", "any two", "A's factor times B's."))
    rows.append(("A then B at N", "any two, and a step", "A up to step N, and from there B."))
    return rows


CONSTANT = Constant()
