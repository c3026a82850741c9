"""Figures of the published measurements show what was measured, and say what was not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study import figures, tables
from support.tables.imports import curves_alone, grid, sizes

pytestmark = pytest.mark.slow


def subtitle(figure: Figure) -> str:
    """The small lines under the title."""
    return "\n".join(text.get_text() for text in figure.texts)


def triangles(axes: Axes) -> list[tuple[float, float]]:
    """The places of the hollow triangles."""
    hollow = [one for one in axes.collections if len(np.asarray(one.get_facecolor())) == 0]
    return [tuple(place) for one in hollow for place in np.asarray(one.get_offsets())]


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (grid, ["valley", "envelope", "profile", "curves"]),
        (sizes, ["size", "sizes", "size-valley", "slopes"]),
        (curves_alone, ["curves"]),
    ],
)
def test_every_figure_is_drawn(make: Any, names: list[str], tmp_path: Path) -> None:
    """Those that its rows suffice for."""
    paths = figures.write(make(), tmp_path)
    assert [path.stem for path in paths] == names


def test_the_valley_has_the_published_cap_and_a_label_in_two_lines() -> None:
    """Arrivals up to 119.8 s are in view; no time past the cap is an arrival."""
    runs = tables.load(grid())
    above, axes = figures.valley(runs).axes
    assert above.get_title(loc="left") == "Did not arrive within 120 s"
    assert axes.get_ylabel() == "seconds of training to\n97 % cumulative training accuracy"
    assert axes.get_ylim()[1] > 123.9
    figure = figures.valley(runs)
    figure.draw_without_rendering()
    _, lower = figure.axes
    assert lower.yaxis.label.get_window_extent().y1 <= lower.get_window_extent().y1 + 1
    assert "287 trials · published K80" in subtitle(figure)


def test_the_envelope_is_grey_only_where_something_arrived() -> None:
    """From the fastest to the slowest; nothing slopes beside a rate at which nobody arrived."""
    runs = tables.load(grid())
    table = tables.envelope(runs)
    (axes,) = figures.envelope(runs).axes
    arrived = set(table[table["arrived"] > 0]["rate"])
    band = axes.collections[0]
    inside = {float(x) for path in band.get_paths() for x in np.asarray(path.vertices)[:, 0]}
    assert inside <= arrived
    assert len(band.get_paths()) == 2, "nobody arrived at 0.0147"
    few = runs[(runs["optimizer"] != "adam") | (runs["learning_rate"] == 0.001)]
    few = few[few["optimizer"].isin(["adam", "adadelta"])]
    (axes,) = figures.envelope(few).axes
    (alone,) = axes.collections[1].get_segments()  # type: ignore[attr-defined]
    assert alone[:, 0].tolist() == [0.001, 0.001]


@pytest.mark.parametrize(
    ("absent", "said"),
    [("capped", "13 of 36 sizes\nhave no row"), ("unknown", "13 of 36 sizes\nnot measured")],
)
def test_sizes_that_are_absent_are_marked_at_their_rate(absent: str, said: str) -> None:
    """With their number, as their triangles lie on each other."""
    figure = figures.size_valley(tables.load(sizes(absent)))
    (axes,) = figure.axes
    (note,) = [text for text in axes.texts if "sizes" in text.get_text()]
    assert (note.get_text(), note.xy) == (said, (0.01, 240.0))  # type: ignore[attr-defined]
    assert triangles(axes) == [(0.01, 240.0)] * (13 if absent == "capped" else 0)
    figure.draw_without_rendering()
    box, frame = note.get_window_extent(), axes.get_window_extent()
    assert frame.x0 <= box.x0
    assert box.x1 <= frame.x1
    assert box.y1 <= frame.y1
    words = "224 trials (13 assumed, 8 repeats)" if absent == "capped" else "211 trials (8 repeats)"
    assert words in subtitle(figure)


@pytest.mark.parametrize("make", [grid, curves_alone])
def test_published_curves_are_drawn_whole_and_without_rates(make: Any) -> None:
    """With or without runs; in the first seconds most are far below the target."""
    study = tables.stored(make())
    runs = study.runs if len(study.runs) else study.spec
    figure = figures.curves(study.curves, runs)
    (axes,) = figure.axes
    labels = axes.get_legend_handles_labels()[1]
    assert labels[:3] == [f"{name} (rate not published)" for name in ("SGD", "Momentum", "Adam")]
    assert axes.get_ylim()[0] == 0
    assert "6 curves, published measurements · published K80" in subtitle(figure)
    (adam,) = [line for line in axes.lines if str(line.get_label()).startswith("Adam ")]
    mine = study.curves[study.curves["optimizer"] == "adam"]
    assert np.allclose(adam.get_xdata(), mine["seconds"])
    assert np.allclose(adam.get_ydata(), 100 * mine["accuracy"])


def test_an_overlay_says_which_side_is_published() -> None:
    """Under its title."""
    runs = tables.load(grid())
    figure = figures.overlay({"mine": runs.assign(fingerprint="0123abcd"), "theirs": runs})
    assert "theirs is published: its steps, step times and scale are not known" in subtitle(figure)
    assert "mine is published" not in subtitle(figure)


def test_absent_sizes_are_not_said_to_have_failed() -> None:
    """At one rate: triangles at the cap, under the name of what they are; few long numbers."""
    figure = figures.size(tables.load(sizes()), 0.01)
    (axes,) = figure.axes
    assert "absent, taken as capped" in axes.get_legend_handles_labels()[1]
    assert len(triangles(axes)) == 13
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
