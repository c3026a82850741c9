"""Figures of results from elsewhere: in seconds, in epochs, and of the metric at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import study
from study import figures, tables
from study.report import sections
from study.report.pictures import drawings
from study.storage.readings.aim import Aim
from support.imports import rows


def runs_of(folder: Path, seconds: float | None = None, **aim: Any) -> pd.DataFrame:
    """The runs of an import."""
    return study.from_frame(pd.DataFrame(rows(seconds=seconds)), folder, **aim)


def texts(figure: Any) -> str:
    """All that stands in a figure."""
    axes = [
        f"{one.get_ylabel()} {one.get_xlabel()} {one.get_title(loc='left')}" for one in figure.axes
    ]
    titles = [figure.get_suptitle(), *(text.get_text() for text in figure.texts)]
    return " | ".join([*titles, *axes])


def points(figure: Any) -> set[tuple[float, float]]:
    """The points of all lines of the lower panel."""
    return {
        (float(x), float(y))
        for line in figure.axes[-1].lines
        for x, y in zip(*line.get_data(), strict=True)
    }


@pytest.mark.parametrize(
    ("seconds", "aim", "label"),
    [
        (2.0, {"metric": "val_acc", "target": 0.9}, "seconds of training to 90 % val acc"),
        (None, {"metric": "val_acc", "target": 0.9}, "epochs of training to 90 % val acc"),
        (None, {"metric": "loss", "target": 0.1}, "epochs of training to loss 0.1 or less"),
    ],
)
def test_the_valley_is_in_what_is_known(
    tmp_path: Path, seconds: float | None, aim: dict[str, Any], label: str
) -> None:
    """Under the metric's own name; the points are the epochs of arrival."""
    runs = runs_of(tmp_path / "out", seconds, **aim)
    figure = figures.valley(runs)
    assert label in texts(figure)
    assert "Did not arrive within its own training" in texts(figure)
    cells = tables.cells(runs)
    drawn = points(figure)
    times = cells["seconds" if seconds else "steps"]
    for rate, time in zip(cells["rate"], times, strict=True):
        assert time == float("inf") or (rate, time) in drawn


@pytest.mark.parametrize(
    ("metric", "label", "title"),
    [
        ("val_acc", "val acc at the end of training", "The hill of the final val acc"),
        ("loss", "loss at the end of training", "The valley of the final loss"),
    ],
)
def test_the_final_metric_is_drawn(tmp_path: Path, metric: str, label: str, title: str) -> None:
    """Where no target is named it is the one figure; an end that was lost stands above."""
    runs = runs_of(tmp_path / "out", metric=metric)
    figure = figures.final(runs)
    assert label in texts(figure)
    assert title in texts(figure)
    assert "Ended without a value" in texts(figure)
    unit = 100 if metric == "val_acc" else 1
    known = tables.final(runs).dropna(subset="final")
    drawn = points(figure)
    assert {(r, unit * f) for r, f in zip(known["rate"], known["final"], strict=True)} <= drawn
    assert list(figures.draw(runs, pd.DataFrame())) == ["final"]


def test_all_figures_follow_a_target_that_comes_later(tmp_path: Path) -> None:
    """The envelope alone needs rates that optimizers share."""
    runs_of(tmp_path / "out")
    later = tables.stored(tmp_path / "out", aim=Aim("val_acc", 0.9))
    drawn = figures.draw(later.runs, later.curves)
    assert list(drawn) == ["final", "valley", "envelope", "profile"]
    apart = pd.DataFrame(rows(seconds=None))
    apart["lr"] *= apart["opt"].map({"adam": 1.0, "sgd": 1.5})
    runs = study.from_frame(apart, tmp_path / "apart", metric="val_acc", target=0.9)
    assert list(figures.draw(runs, pd.DataFrame())) == ["final", "valley", "profile"]
    assert "epochs of training to 90 % val acc" in texts(drawn["envelope"])
    rising = figures.targets(tables.targets(later), later.runs)
    assert "epochs of training to the target" in texts(rising)
    assert "target: val acc" in texts(rising)


def test_nothing_is_given_up_where_all_arrive(tmp_path: Path) -> None:
    """An envelope has the line at which trials were given up where some were."""
    runs = runs_of(tmp_path / "out", metric="val_acc", target=0.9)
    for some, line in ((runs, True), (runs[runs["outcome"] == "reached"], False)):
        (axes,) = figures.envelope(some).axes
        assert ("given up" in [text.get_text() for text in axes.texts]) == line


def test_words_about_figures_name_the_unit(tmp_path: Path) -> None:
    """Epochs where no seconds are told, or not those of all; pictures say so to those who do not
    see them.
    """
    table = pd.DataFrame(rows(seconds=None))
    some = table.assign(time=2.0 * table["epoch"].where(table["opt"] == "sgd"))
    for name, frame, told in (("none", table, "not told"), ("some", some, "not told of all")):
        study.from_frame(frame, tmp_path / name, metric="val_acc", target=0.9)
        stored = tables.stored(tmp_path / name)
        assert f"seconds: {told}" in texts(figures.valley(stored.runs))
        assert f"seconds are {told}: times are" in " ".join(tables.warnings(stored))
        for picture in drawings(stored):
            assert "econds" not in picture.alt
        assert any("Epochs of training against" in picture.alt for picture in drawings(stored))


def test_the_report_of_an_import_counts_in_its_unit(tmp_path: Path) -> None:
    """Its best times are epochs, and no trial of it is missing: it has no grid."""
    table = pd.DataFrame(rows(seconds=None))
    table = table[(table["opt"] == "sgd") | (table["lr"] > 0.005)]
    study.from_frame(table, tmp_path / "out", metric="val_acc", target=0.9)
    stored = tables.stored(tmp_path / "out")
    head, (first, *_) = sections.summary(stored), sections.best_rates(stored)
    assert head.stored == head.asked == len(stored.runs) < len(stored.spec)
    assert {name for name in first if "epochs" in name or "steps" in name} == {"epochs, one draw"}
    best = stored.best.iloc[0]
    assert first["epochs, one draw"].startswith(f"{best['steps']:.0f}"[:2])
