"""Figures and their axes."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib
import matplotlib.style
from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.ticks import Exact, logarithmic_rates

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


MOST_COLUMNS = 3
"""Panels in a row of a figure of many panels."""


STYLE = {
    **matplotlib.style.library["seaborn-v0_8-whitegrid"],
    "grid.color": "0.93",
    "axes.linewidth": 0.8,
}
"""seaborn's style as matplotlib brings it: seaborn itself takes a second to import."""


@contextmanager
def own_settings() -> Iterator[None]:
    """matplotlib's own defaults inside, whatever a person's matplotlibrc or notebook has set."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


class Drawing(Figure):
    """A figure that a notebook shows without pyplot, under the project's own settings."""

    def savefig(self, *arguments: Any, **options: Any) -> None:
        """See `Figure.savefig`."""
        with own_settings():
            super().savefig(*arguments, **options)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, dpi=80, format="png")
        return buffer.getvalue()


def styled_axes(figure: Figure, rows: int, columns: int, **options: Any) -> list[list[Axes]]:
    """Add axes to a figure in the study's style, without changing any global setting.

    Args:
        figure: the figure.
        rows: number of rows of axes.
        columns: number of axes in a row.
        options: of `Figure.subplots`.

    Returns:
        The axes, row by row.
    """
    with matplotlib.rc_context(STYLE):
        axes = figure.subplots(rows, columns, squeeze=False, **options)
    for each in axes.flat:
        each.xaxis.set_major_formatter(Exact())
        each.yaxis.set_major_formatter(Exact())
    return [list(row) for row in axes]


def panels(figure: Figure, count: int, **options: Any) -> list[Axes]:
    """Add `count` panels to a figure, `MOST_COLUMNS` in a row; the rest of the last row is empty.

    Args:
        figure: the figure.
        count: the number of panels.
        options: of `Figure.subplots`.

    Returns:
        The panels, row by row.
    """
    rows, columns = grid_shape(count)
    found = [axes for row in styled_axes(figure, rows, columns, **options) for axes in row]
    for axes in found[count:]:
        axes.set_visible(False)
    return found[:count]


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns of `count` panels."""
    columns = min(MOST_COLUMNS, count)
    return math.ceil(count / columns), columns


def finite(values: pd.Series) -> pd.Series:
    """The values with infinity as NaN: a line breaks there."""
    return values.replace(math.inf, math.nan)


def stacked_panels(
    rows: int, size: tuple[float, float], height_ratios: tuple[float, ...] = (1,)
) -> tuple[Figure, list[Axes]]:
    """A figure of panels below each other on one x-axis, in the study's style."""
    figure = Drawing(figsize=size, layout="constrained")
    rows_of_axes = styled_axes(figure, rows, 1, sharex=True, height_ratios=height_ratios)
    return figure, [row[0] for row in rows_of_axes]


def check_one_width(runs: pd.DataFrame) -> None:
    """Raise `StudyError` if the runs have several widths: a line would join two networks."""
    widths = sorted(set(tables.comparable(runs)["width"]))
    if len(widths) > 1:
        listed = ", ".join(f"{width:g}" for width in widths)
        raise StudyError(
            f"the runs have the widths {listed}: draw one at a time, such as runs[runs.width == "
            f"{widths[0]:g}]"
        )


def rate_and_seconds_axes(axes: Axes, arrived: pd.Series, cap: float) -> None:
    """Logarithmic rate and seconds, from below the fastest trial up to the cap."""
    logarithmic_rates(axes)
    axes.set_yscale("log")
    low = float(arrived.min()) if len(arrived) else cap / 10
    axes.set_ylim(low / 1.25, cap * 1.1)
    axes.yaxis.set_major_locator(
        ticker.LogLocator(subs=(1, 2, 3, 4, 5, 6, 8) if cap < 20 * low else (1, 2, 5))
    )
    axes.yaxis.set_major_formatter(Exact())
    axes.yaxis.set_minor_locator(ticker.NullLocator())  # placing them takes half the drawing


def legend_beside(axes: Axes, title: str | None = None) -> None:
    """Put the legend beside the axes, where it hides no data."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    for text in axes.legend(**place, frameon=False, title=title).get_texts():
        text.set_parse_math(False)


def explain_emptiness(axes: Axes, runs: pd.DataFrame) -> None:
    """Say in the middle of the axes why no rate reached the target, and what would help."""
    for why in tables.unreached(runs):
        # An option stays on one line with its value, and a number with its unit.
        whole = re.sub(r"(--\S+) (?=\d)|(\d) (?=%|ms)", "\\1\\2\N{NO-BREAK SPACE}", why)
        axes.text(
            0.5,
            0.5,
            textwrap.fill(whole, 70, break_on_hyphens=False),
            color="0.3",
            ha="center",
            va="center",
            transform=axes.transAxes,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            parse_math=False,
            zorder=0.9,  # over the grid, under the trials that arrived
        )


def note_on_line(axes: Axes, height: float, text: str) -> None:
    """Write above the right end of a horizontal line."""
    place = ("axes fraction", "data")
    axes.annotate(
        text,
        (1, height),
        xycoords=place,
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
