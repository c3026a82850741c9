"""The figures of sizes, seeds and chances: what is on the axes is what is in the tables."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from study import figures, tables
from study.errors import StudyError
from study.figures.sizes.drawing import distinct
from study.spec.study import StudySpec
from support.made import made
from support.sizes import RUNS, SPEC, takes

NO_CURVES = pd.DataFrame()


def labels(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_one_rate_against_size_with_its_line() -> None:
    """Trials as dots, those that did not arrive at their cap, the likeliest line with its
    numbers in words.
    """
    (axes,) = figures.size(RUNS, 0.001).axes
    mine = RUNS[RUNS["learning_rate"] == 0.001]
    dots, capped = (np.asarray(part.get_offsets()) for part in axes.collections[:2])
    assert len(dots) == (mine["outcome"] == "reached").sum()
    assert len(capped) == (mine["outcome"] == "capped").sum()
    assert set(capped[:, 1]) == {3.0}
    row = tables.sizes(RUNS).set_index("rate").loc[0.001]
    (line,) = axes.get_lines()
    x, y = (np.asarray(values, float) for values in line.get_data())
    assert y == pytest.approx(row["tobit_c"] + row["tobit_k"] * x)
    assert "per million weights" in labels(axes)[1]


def test_the_rate_of_most_arrivals_is_drawn_where_none_is_named() -> None:
    """An unknown one is refused, and the known ones listed."""
    assert "at rate 0.01" in figures.size(RUNS).get_suptitle()
    with pytest.raises(StudyError, match=r"no trial at rate 5: one of 0\.001, 0\.01"):
        figures.size(RUNS, 5.0)


def test_all_rates_and_all_sizes() -> None:
    """A line a rate; a curve a size, eight of them named; both factors of time."""
    (axes,) = figures.sizes(RUNS).axes
    assert labels(axes) == [
        f"0.001: line, {int((RUNS['outcome'] == 'reached').sum()) - 36} of 36 arrived",
        "0.01: line, 36 of 36 arrived",
    ]
    (axes,) = figures.size_valley(RUNS).axes
    assert len(axes.get_lines()) == RUNS["width"].nunique()
    assert len(labels(axes)) == 8
    many = made(
        StudySpec(optimizers=("adam",), rates="1e-3:1:48", widths=(1.0, 2.0, 3.0), cap=50.0),
        lambda trial: 5.0 + trial.width,
    )
    assert len(labels(figures.sizes(many).axes[0])) == 8
    above, below = figures.size_parts(RUNS).axes
    assert len(above.get_lines()) == 2
    assert set(np.asarray(below.get_lines()[0].get_ydata())) == {10.0}


def test_slopes_have_intervals() -> None:
    """Two ways, a point a rate."""
    (axes,) = figures.slopes(RUNS).axes
    assert labels(axes) == ["least squares, arrivals alone", "likeliest, with censored trials"]
    for container, name in zip(axes.containers, ("k", "tobit_k"), strict=True):
        points: Any = container
        assert list(points.lines[0].get_ydata()) == pytest.approx(1e6 * tables.sizes(RUNS)[name])


def jumps() -> pd.DataFrame:
    """A study whose seconds double above width 6 at one of its rates, as its step time does."""
    high = (RUNS["width"] > 6) & (RUNS["learning_rate"] == 0.01)
    step = RUNS["step_seconds"] * (1 + (RUNS["width"] > 6)) * (1 + RUNS["width"] % 1 / 99)
    return RUNS.assign(seconds=RUNS["seconds"] * (1 + high), step_seconds=step)


def test_a_rejected_line_is_not_drawn() -> None:
    """A jump is two pieces, told in the legend; its slope is hollow and has no interval."""
    (axes,) = figures.size(jumps(), 0.01).axes
    below, above = (np.asarray(line.get_xdata(), float) for line in axes.get_lines())
    weights = RUNS.groupby("width")["weights"].first()
    assert weights[6.0] < below.max() < weights[6.5]
    assert above.min() == pytest.approx(below.max())
    assert "a line with a jump of " in labels(axes)[1]
    assert "between widths 6 and 6.5" in labels(axes)[1]
    figure = figures.sizes(jumps())
    assert labels(figure.axes[0])[1] == "0.01: jump, 36 of 36 arrived"
    assert len(figure.axes[0].get_lines()) == 3
    said = "a line c + k n holds at 1 of 2 rates; the step time jumps by "
    assert any(text.get_text().startswith(said) for text in figure.texts)
    (axes,) = figures.slopes(jumps()).axes
    hollow = [line for line in axes.get_lines() if line.get_fillstyle() == "none"]
    assert [np.asarray(line.get_ydata(), float).tolist() for line in hollow] == [
        [pytest.approx(1e6 * tables.sizes(jumps())[name][1])] for name in ("k", "tobit_k")
    ]
    assert [len(container.lines[0].get_ydata()) for container in axes.containers] == [1, 1]  # type: ignore[attr-defined]


def test_few_rates_have_colours_far_apart() -> None:
    """Red, green and blue of a pair differ by a third of a scale or more; many are shades."""
    (axes,) = figures.sizes(RUNS).axes
    first, second = (np.array(to_rgb(line.get_color())) for line in axes.get_lines())
    assert np.abs(first - second).sum() > 0.33
    colours = [np.array(to_rgb(colour)) for colour in distinct(8)]
    assert all(np.abs(a - b).sum() > 0.33 for a, b in combinations(colours, 2))
    assert len(set(distinct(48))) == 48


def test_a_study_of_sizes_has_its_own_figures() -> None:
    """No valley for each of many widths; a rate at which nothing arrived has no line; several
    optimizers have theirs apart.
    """
    assert list(figures.draw(RUNS, NO_CURVES)) == [
        "size",
        "sizes",
        "size-valley",
        "slopes",
        "size-parts",
    ]
    none = RUNS.assign(outcome=RUNS["outcome"].where(RUNS["learning_rate"] == 0.01, "capped"))
    assert list(figures.draw(none, NO_CURVES)) == [
        "size",
        "sizes",
        "size-valley",
        "slopes",
        "size-parts",
    ]
    two = made(SPEC.with_(optimizers=("sgd", "adam"), seeds=1), takes)
    names = list(figures.draw(two, NO_CURVES))
    assert "sizes-sgd" in names
    assert "sizes-adam" in names
    assert sum(name.startswith("valley") for name in names) == figures.MOST_WIDTHS
    with pytest.raises(StudyError, match="draw one at a time"):
        figures.sizes(two)


def test_over_seeds_there_is_a_band() -> None:
    """Between the quartiles, up to the cap; none for a single seed."""
    spec = StudySpec(optimizers=("adam",), rates=(0.001, 0.01), seeds=5, cap=20.0)
    runs = made(spec, lambda trial: 4.0 + trial.seed if trial.learning_rate < 0.005 else "stuck")
    axes = figures.valley(runs).axes[1]
    band: Any = axes.collections[0]
    assert sorted({y for _, y in band.get_paths()[0].vertices}) == [5.0, 7.0]
    assert not figures.valley(runs[runs["seed"] == 0]).axes[1].collections


def test_a_blind_pick() -> None:
    """Half of the trials arrive, the fastest at ratio 1, the slowest at 2."""
    spec = StudySpec(optimizers=("sgd",), rates=(0.001, 0.01, 0.1, 1.0), cap=20.0)
    truth: dict[float, float | str] = {0.001: "capped", 0.01: 8.0, 0.1: 4.0, 1.0: "stuck"}
    runs = made(spec, lambda trial: truth[trial.learning_rate])
    table = tables.profile(runs)
    assert table[["ratio", "share"]].to_numpy().tolist() == [[1.0, 0.25], [2.0, 0.5]]
    (axes,) = figures.profile(runs).axes
    assert max(np.asarray(axes.get_lines()[0].get_ydata(), float)) == 50


def test_a_notebook_shows_a_figure() -> None:
    """Without pyplot."""
    assert figures.sizes(RUNS)._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
