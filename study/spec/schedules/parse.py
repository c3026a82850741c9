"""Schedules by name: their text form, and their rates."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.errors import StudyError
from study.spec.schedules.base import Constant, Schedule, _checks, _text
from study.spec.schedules.cyclic import ExpRange, OneCycle, Triangular, Triangular2
from study.spec.schedules.decay import (
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    Piecewise,
    Polynomial,
)
from study.spec.schedules.ramps import GeometricRamp, LinearRamp
from study.validation import choice

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
    """The schedule that a text names, `NAME[:key=value,key=value]`. A schedule names itself.

    >>> parse("cosine:steps=2000,warmup=100")
    Cosine(warmup=100, steps=2000, alpha=0.0)

    Raises:
        StudyError: an unknown name or key, a key that is missing or comes twice, or a value out of
            its range.
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


def describe() -> list[tuple[str, str, str]]:
    """Each schedule's name, its arguments with their defaults, and its formula in a line."""
    rows = []
    for name, kind in SCHEDULES.items():
        warmup, *own = fields(kind)
        given = [
            field.name if field.default is MISSING else f"{field.name}={_shown(field.default)}"
            for field in (*own, warmup)
        ]
        rows.append((name, ", ".join(given), str(kind.__doc__).split("\n")[0]))
    return rows


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else _text(value)


CONSTANT = Constant()
