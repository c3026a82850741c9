"""A curve that was measured elsewhere, read by the rules of the finder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from study.errors import StudyError
from study.search.curve import MIN_POINTS, Floats, Pick
from study.search.finder import MAX_STEPS, Sweep, SweepRecorder, stop_of
from study.search.rules import RULES
from study.validation import choice, integer


def suggest(
    rates: Any,
    losses: Any,
    rule: str = "tenth",
    accuracy: Any = None,
    *,
    steps: int | None = None,
    stop: float | None = 4.0,
) -> Pick:
    """The rate that a rule reads off a curve of your own, or the reason why there is none.

    The curve is taken for that of a sweep: a loss for each batch, before the step at its rate. So
    the answer is that of a `Sweep` with the same numbers.

    Args:
        rates: the rates, rising, (T,).
        losses: the loss at each, (T,). Where it is not finite from some rate on, the sweep diverged
            there.
        rule: a name out of `RULES`.
        accuracy: the accuracy at each, from 0 to 1, (T,); the rules `rise` and `fall` read it.
        steps: steps that were planned, where the sweep ended before its last rate; else T.
        stop: the curve ends where the smoothed loss is this many times its smallest value, as that
            of a sweep does, or at its last point where None.

    Returns:
        Its `rate`, which is None where there is none, and its `reason` in words.

    Raises:
        StudyError: an array is not what it should be, the curve is too short, or there is no such
            rule.

    >>> suggest(np.geomspace(1e-6, 1, 99), np.geomspace(2, 1, 99)).reason[:44]
    'the smoothed loss was still falling at the e'
    """
    choice("rule", rule, tuple(RULES))
    return curve(rates, losses, accuracy, steps=steps, stop=stop).pick(rule)


def curve(
    rates: Any,
    losses: Any,
    accuracy: Any = None,
    *,
    steps: int | None = None,
    stop: float | None = 4.0,
) -> Sweep:
    """The sweep that has these numbers.

    Args:
        rates: see `suggest`, as are the others.
        losses: of each batch.
        accuracy: of each batch, or None.
        steps: planned steps.
        stop: where the curve ends.

    Raises:
        StudyError: as `suggest` does.
    """
    at, lost = _numbers("rates", rates), _numbers("losses", losses)
    right = None if accuracy is None else _numbers("accuracy", accuracy)
    _check(at, lost, right)
    count = len(at)
    planned = count if steps is None else integer("steps", steps, count, MAX_STEPS)
    if planned < MIN_POINTS:
        raise StudyError(
            f"a curve of {count} points is too short: measure at least {MIN_POINTS}, better a few "
            "hundred"
        )
    recorder = SweepRecorder(at, "log", stop_of(stop))
    for place, loss in enumerate(lost):
        if not recorder.add(float(loss), None if right is None else float(right[place])):
            break
    found = recorder.sweep()
    # A sweep ends before its time where it diverges, and leaves that loss out.
    early = found.stopped == "end" and planned > count
    return replace(found, steps=planned, stopped="diverged" if early else found.stopped)


def _check(rates: Floats, losses: Floats, accuracy: Floats | None) -> None:
    """Raise `StudyError` at numbers that are no curve."""
    lengths = {"losses": losses, "accuracy": accuracy}
    for name, values in lengths.items():
        if values is not None and len(values) != len(rates):
            raise StudyError(
                f"there are {len(rates)} rates and {len(values)} values of {name}: give as many"
            )
    if not len(rates):
        return
    falls = np.flatnonzero(~(np.diff(rates) > 0))
    if not np.isfinite(rates).all() or not rates[0] > 0:
        raise StudyError("a rate is not a finite number above 0: give the rates of the steps")
    if len(falls):
        place = int(falls[0])
        raise StudyError(
            f"rate {place + 2} is {rates[place + 1]:g} and follows {rates[place]:g}: rates must "
            "rise at every step"
        )
    finite = np.isfinite(losses)
    ends = int(np.argmin(finite)) if not finite.all() else len(losses)
    if finite[ends:].any():
        raise StudyError(
            f"loss {ends + 1} is {losses[ends]:g} and finite ones follow: leave out that step with "
            "its rate, or all from there on"
        )
    if accuracy is not None and not np.isfinite(accuracy[:ends]).all():
        place = int(np.argmin(np.isfinite(accuracy)))
        raise StudyError(f"accuracy {place + 1} is {accuracy[place]:g}: give one of each batch")


def _numbers(name: str, values: Any) -> Floats:
    """A row of numbers."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise StudyError(f"{name} must be numbers, one a step") from None
    if numbers.ndim != 1:
        raise StudyError(f"{name} of shape {numbers.shape} must be one row of numbers, one a step")
    return numbers
