"""The course of a sweep of a user's model: its length, its bar, its metric, and whom it blames."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from study.errors import StudyError
from study.search.finder import SweepRecorder, ramp, stop_of
from study.validation import choice

SHORTEST, LONGEST = 200, 500
"""Bounds of the steps of a sweep where the caller gives none: an epoch is taken, within them."""


def recorder_of(
    low: float,
    high: float,
    steps: int | None,
    scale: str,
    stop: float | None,
    length: int | None,
) -> SweepRecorder:
    """The recorder of a sweep.

    Args:
        low: rate of the first step.
        high: rate that would come after the last step.
        steps: steps of the ramp, or None for those of an epoch within the bounds.
        scale: `log` or `linear`.
        stop: the sweep ends when the smoothed loss is this many times its smallest value, or never
            where None.
        length: batches of an epoch, if they are known.

    Raises:
        StudyError: a value is out of its range.
    """
    asked = min(LONGEST, max(SHORTEST, length or 0)) if steps is None else steps
    return SweepRecorder(ramp(low, high, asked, scale), scale, stop_of(stop))


def shown(rates: Any, progress: bool | None) -> Iterable[float]:
    """The rates, with a bar that tells how many are done.

    Args:
        rates: of the ramp.
        progress: whether there is a bar; where None, in terminals and notebooks.
    """
    from tqdm import tqdm

    seen = sys.stderr is not None and sys.stderr.isatty()
    notebook = "ipykernel" in sys.modules and not seen
    disable = not (seen or notebook) if progress is None else not progress
    bar: Iterable[float] = tqdm(
        rates, unit="step", desc="find_rate", file=sys.stderr, leave=False, disable=disable
    )
    return bar


def recorded(
    recorder: SweepRecorder, logs: Mapping[str, Any], metric: str | None, remedy: str
) -> bool:
    """Record a step.

    Args:
        recorder: takes it.
        logs: the step's `loss` and its metrics.
        metric: see `metric_of`.
        remedy: see `metric_of`.

    Returns:
        Whether the sweep goes on.
    """
    recorder.metric = metric_of(logs, metric, remedy)
    right = logs.get(recorder.metric)
    return recorder.add(float(logs["loss"]), None if right is None else float(right))


def metric_of(logs: Mapping[str, Any], asked: str | None, remedy: str) -> str:
    """The name of the metric that counts: the one asked for, or the first that is an accuracy.

    Args:
        logs: what a step tells, its `loss` included, which is no metric.
        asked: a name, or None.
        remedy: what to do where a metric is asked for and there is none, for the error.

    Raises:
        StudyError: there is no metric of the name that is asked for.
    """
    if asked is not None:
        names = tuple(name for name in logs if name != "loss")
        if not names:
            raise StudyError(f"there is no metric {asked!r}: {remedy}")
        return choice("metric", asked, names)
    named = (name for name in logs if name == "acc" or name.endswith("accuracy"))
    return next(named, "accuracy")


def copes(recorder: SweepRecorder, taken: int, finite: bool, harmed: Callable[[], bool]) -> bool:
    """Whether the model copes with values that are not finite; the first to harm it is blamed.

    Args:
        recorder: of the sweep, which ends where a batch is blamed.
        taken: the number of the step, from 1 on.
        finite: whether all numbers of its batch are finite.
        harmed: whether the step has left a loss or a weight that is not.
    """
    if finite:
        return False
    if not harmed():
        return True
    recorder.blame(
        f"batch {taken} holds a value that is not finite, which made the loss or the weights so; "
        "no rate is to blame: mend the data, or mask it"
    )
    return False


def spoilt(weight: str) -> str:
    """Why a model whose weights are not finite gives no rate.

    Args:
        weight: the name of such a weight.
    """
    return (
        f"the model's weights are not finite before the first step ({weight}): make the model "
        "anew, or load weights from before they were spoilt"
    )
