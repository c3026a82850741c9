"""The fits of a study in sentences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from study.tables.fits.table import lines
from study.tables.intervals import FEWEST_SIZES

NAMES = {
    "line": "a line",
    "quadratic": "a quadratic",
    "power": "a power law",
    "jump": "a line with a jump",
}
"""The shapes in words."""


def sentence(row: Any, steps: Any = None, step_time: Any = None) -> str:
    """A row of `lines` in words: which shape holds, by how much, and which factor bends.

    Args:
        row: a row of seconds, or of another measure.
        steps: the row of the steps at the same rate; nothing is said of them if None.
        step_time: the row of the step times; nothing is said of them if None.

    Returns:
        The sentence, without a full stop.
    """
    if not isinstance(row.shape, str):
        return (
            f"{row.optimizer} at {row.rate:g}: {row.arrived} of {row.trials} trials arrived, "
            "too few sizes for a line"
        )
    others = {name: getattr(row, name) for name in NAMES if name != "line"}
    if row.shape == "line":
        rival = min(others, key=lambda name: others[name])
        how = (
            f"a line is enough (AICc {abs(others[rival]):.1f} "
            f"{'below' if others[rival] > 0 else 'above'} that of {NAMES[rival]})"
        )
    else:
        how = f"{NAMES[row.shape]} holds, not a line (AICc {-others[row.shape]:.1f} below it)"
    said = [how, *_factors(row, steps, step_time)]
    return (
        f"{row.optimizer} at {row.rate:g}: {'; '.join(said)}; R^2 of the line "
        f"{row.r2:.2f}, {row.arrived} of {row.trials} trials arrived"
    )


def _factors(row: Any, steps: Any, step_time: Any) -> list[str]:
    """What jumps, and the shape of the steps."""
    said = [f"it jumps by {jump(row)}"] if row.shape == "jump" else []
    if step_time is not None and step_time.shape == "jump":
        said.append(f"the step time jumps by {jump(step_time)}")
    if steps is not None and isinstance(steps.shape, str):
        enough = " is enough" if steps.shape == "line" else ""
        said.append(f"steps alone: {NAMES[steps.shape]}{enough}")
    return said


def jump(row: Any) -> str:
    """How far a row of `lines` jumps, and where."""
    return f"{100 * row.jump_share:.0f} % between widths {row.jump_below:g} and {row.jump_above:g}"


def sentences(runs: pd.DataFrame, n: str = "weights") -> list[str]:
    """`sentence` of the seconds at each rate, with the factors of those that are no line.

    Args:
        runs: of several widths.
        n: the measure of a model's size, one of `SIZES`.

    Returns:
        A sentence a row of `lines`.

    Raises:
        StudyError: fewer than three widths.
    """
    steps, step_times = factors(runs, n)

    def said(row: Any) -> str:
        if row.shape == "line":
            return sentence(row)
        of_steps = steps.get((str(row.optimizer), float(row.rate)))
        return sentence(row, of_steps, step_times.get(str(row.optimizer)))

    return [said(row) for row in lines(runs, n).itertuples()]


def factors(
    runs: pd.DataFrame, n: str = "weights"
) -> tuple[dict[tuple[str, float], Any], dict[str, Any]]:
    """The rows of `lines` of the factors of the seconds: steps, and step times.

    Args:
        runs: of several widths.
        n: the measure of a model's size, one of `SIZES`.

    Returns:
        Rows of the steps by optimizer and rate, and of the step times by optimizer; none of a
        factor that is not known of three widths.
    """

    rows = _known(runs, n, "steps")
    steps = {(str(row.optimizer), float(row.rate)): row for row in rows}
    return steps, step_times(runs, n)


def step_times(runs: pd.DataFrame, n: str = "weights") -> dict[str, Any]:
    """The rows of `lines` of the step times, by optimizer; none if three widths have none.

    Args:
        runs: of several widths.
        n: the measure of a model's size, one of `SIZES`.
    """
    return {str(row.optimizer): row for row in _known(runs, n, "step_seconds")}


def _known(runs: pd.DataFrame, n: str, t: str) -> list[Any]:
    """The rows of `lines` where the measure is known of enough widths."""
    known = runs[runs[t].notna()]
    enough = known["width"].nunique() >= FEWEST_SIZES
    return list(lines(known, n, t).itertuples()) if enough else []
