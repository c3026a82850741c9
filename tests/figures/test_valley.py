"""The figures of a grid, drawn from their tables."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from study import figures, tables
from study.errors import StudyError
from study.storage.records import Outcome
from study.storage.store import Store
from support.known import FRAME, SPEC, made_up, sparse, stored
from support.records import RUN


def test_every_figure_is_drawn_from_its_table() -> None:
    """What is on the axes is what is in the table."""
    figure = figures.valley(FRAME)
    above, axes = figure.axes
    lines: dict[Any, Any] = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["SGD"].get_xdata()) == [0.001, 0.01, 0.1, 1.0]
    nan = math.nan  # the line breaks where a rate did not arrive
    assert list(lines["SGD"].get_ydata()) == pytest.approx([nan, 7.0, 4.0, nan], nan_ok=True)
    assert list(lines["Adam"].get_ydata()) == pytest.approx([3.0, nan, nan, nan], nan_ok=True)
    assert "RMSProp" not in lines
    ends = sum(len(np.asarray(line.get_xdata())) for line in above.get_lines())
    assert ends == sum(run.outcome is not Outcome.REACHED for run in made_up())
    legend = above.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "budget spent",
        "stuck",
        "diverged",
        "failed",
    ]

    (axes,) = figures.envelope(FRAME).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["fastest optimizer"].get_ydata()) == pytest.approx(
        [3.0, 7.0, 4.0, nan], nan_ok=True
    )
    assert list(lines["slowest optimizer"].get_ydata()) == [10.0] * 4


def test_curves_are_drawn_in_percent(folder: Path) -> None:
    """An optimizer a line, at its best rate."""
    (axes,) = figures.curves(tables.curves(stored(folder)), FRAME).axes
    lines: dict[Any, Any] = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["SGD at 0.1"].get_ydata()) == pytest.approx([50, 90, 96, 97.5])
    assert list(lines["Adam at 0.001"].get_xdata()) == pytest.approx([0.5, 1, 1.5, 2])


@pytest.mark.parametrize("curves", [True, False])
def test_figures_are_written_as_png_and_svg(folder: Path, curves: bool) -> None:
    """All that the study has; legends stand outside the axes, so they hide no data."""
    paths = figures.write(stored(folder, curves))
    names = ["valley", "envelope", "profile", "targets", *(["curves"] if curves else [])]
    assert [path.name for path in paths] == [f"{name}.png" for name in names]
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in path.with_suffix(".svg").read_bytes()


def test_one_optimizer_has_no_envelope() -> None:
    """It would be its valley again."""
    none = pd.DataFrame(columns=["width", "fingerprint"])
    assert list(figures.draw(FRAME[FRAME["optimizer"] == "sgd"], none)) == ["valley"]
    assert "envelope" in figures.draw(FRAME, none)


def test_widths_are_drawn_apart(folder: Path) -> None:
    """No line joins two networks: a figure each, and both at once is refused."""
    store = Store(stored(folder))
    with store.writing():
        for run in made_up():
            store.append(replace(run, trial=replace(run.trial, width=2.0)), None)
    names = [path.stem for path in figures.write(folder)]
    assert names == [
        "valley-width-1",
        "envelope-width-1",
        "valley-width-2",
        "envelope-width-2",
        "profile",
        "curves",
    ]
    for draw in (figures.valley, figures.envelope):
        with pytest.raises(StudyError, match="the widths 1, 2"):
            draw(tables.load(folder))


def test_a_study_in_which_nothing_arrived_is_drawn_too(folder: Path) -> None:
    """An empty valley is a result."""
    runs = tables.frame([replace(run, outcome=Outcome.CAPPED) for run in made_up()])
    profile, envelope = figures.profile(runs), figures.envelope(runs)
    for axes in (figures.valley(runs).axes[1], profile.axes[0], envelope.axes[0]):
        (said,) = [text.get_text() for text in axes.texts if "no trial" in text.get_text()]
        assert said.startswith("no trial reached 97\N{NO-BREAK SPACE}% (")
        assert "(--cap\N{NO-BREAK SPACE}20)" in said  # an option stays with its value
    shares = profile.axes[0].yaxis
    labels = shares.get_major_formatter().format_ticks(list(shares.get_ticklocs()))
    assert len(labels) == len(set(labels))
    assert "fastest optimizer" not in envelope.axes[0].get_legend_handles_labels()[1]
    with pytest.raises(StudyError, match="no validation curves"):
        figures.curves(tables.curves(folder), runs)


def test_a_study_in_which_no_rate_arrived_in_the_median_says_so() -> None:
    """The trial that did is a dot; a legend would have nothing to name."""
    runs = tables.frame(sparse())
    axes = figures.valley(runs).axes[1]
    (text,) = axes.texts
    said = "no rate reached 97\N{NO-BREAK SPACE}% in the median of its seeds (35 capped, 1 reached)"
    assert text.get_text().replace("\n", " ").startswith(said)
    assert axes.get_legend() is None
    dots = [each for each in axes.collections if isinstance(each, PathCollection)]
    assert sum(len(np.asarray(each.get_offsets())) for each in dots) == 1
    figures.envelope(runs)
    figures.profile(runs)


def test_one_rate_and_steps_as_the_only_cap_are_drawn() -> None:
    """The cap in seconds is then max_steps x step time."""
    spec = SPEC.with_(rates=(0.01,), cap=None, max_steps=1000, seeds=1)
    runs = tables.frame(
        [
            replace(RUN, trial=trial, outcome=Outcome.CAPPED, step_seconds=0.01, seconds=10.0)
            for trial in spec.trials()
        ]
    )
    assert tables.budget(runs).tolist() == [10.0] * 3
    figures.valley(runs)
    figures.envelope(runs)
