"""Units of what sources tell: percent against share, steps against epochs. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from study.errors import StudyError
from study.spec.goals import is_share
from study.storage.imports.trials import Found


def one_unit(found: Sequence[Found]) -> str:
    """What all trials call a step; empty where none tells any.

    Raises:
        StudyError: they count several things.
    """
    units: dict[str, Found] = {}
    for trial in found:
        if trial.unit:
            units.setdefault(trial.unit, trial)
    if len(units) > 1:
        listed = " and ".join(f"{unit}s ({trial.source})" for unit, trial in units.items())
        raise StudyError(
            f"mixed units: the trials are counted in {listed}: name one column for all, as in "
            "--columns step=epoch, or import them apart"
        )
    return next(iter(units), "")


def as_shares(found: Sequence[Found], percent: bool) -> list[Found]:
    """The trials with accuracies as shares from 0 to 1.

    Args:
        found: the trials as they are told.
        percent: whether accuracies are told in percent.

    Raises:
        StudyError: an accuracy above 1 that is not said to be a percent, or the other way round.
    """
    most: dict[str, tuple[float, str]] = {}
    least: dict[str, tuple[float, str]] = {}
    for trial in found:
        for name, values in trial.metrics.items():
            if is_share(name):
                top = max(value for value in values if value is not None), trial.source
                low = min(value for value in values if value is not None), trial.source
                most[name] = max(most.get(name, top), top)
                least[name] = min(least.get(name, low), low)
    for name, (value, source) in least.items():
        if value < 0:
            raise StudyError(f"{source}: {name} {value:g} is no accuracy")
    above = {name: told for name, told in most.items() if told[0] > 1}
    within = {name: told for name, told in most.items() if told[0] <= 1}
    if not percent and above:
        name, (value, source) = next(iter(above.items()))
        raise StudyError(
            f"{source}: {name} goes up to {value:g}, and a share is at most 1: give --percent if "
            "accuracies are told in percent; the target is a share all the same, such as 0.9"
        )
    if percent and within:
        name, (value, source) = next(iter(within.items()))
        mixed = "mixed units: " if above else ""
        raise StudyError(
            f"{mixed}{name} goes up to {value:g} ({source}), which is a share from 0 to 1 and no "
            f"percent{': import it apart' if above else ': leave out --percent'}"
        )
    for name, (value, source) in above.items():
        if value > 100:
            raise StudyError(f"{source}: {name} {value:g} is no percentage")
    return [_shares(trial) for trial in found] if percent else list(found)


def _shares(trial: Found) -> Found:
    metrics = {
        name: tuple(
            round(value / 100, 9) if value is not None and is_share(name) else value
            for value in values
        )
        for name, values in trial.metrics.items()
    }
    return replace(trial, metrics=metrics)
