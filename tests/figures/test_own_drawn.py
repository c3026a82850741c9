"""Figures of studies of the user's own model: what they say, and that every optimizer is told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from study import figures, tables
from study.figures.style import label_of, looks
from study.figures.style.looks import WIDEST_LABEL
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS
from support.figures.drawn import own_grown
from support.own import studies
from support.own.studies import ACCURACY, LION, LOSS, NESTEROV, SIZES, frame, own, picks, stored

BOTH = pytest.mark.parametrize("spec", [LOSS, ACCURACY], ids=["loss", "accuracy"])
LONG = f"{NESTEROV[:-1]},weight_decay=0.0005,clipnorm=1.0)"


def words(figure: Figure) -> str:
    """All that is written on a figure, each text on one line."""
    texts: list[str] = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        legend = axes.get_legend()
        texts += [axes.get_xlabel(), axes.get_ylabel(), axes.get_title()]
        texts += [text.get_text() for text in (legend.get_texts() if legend else axes.texts)]
        texts += [tick.get_text() for tick in axes.get_yticklabels()]
    return "\n".join(" ".join(text.split()) for text in texts)


def colours(axes: Axes) -> dict[str, str]:
    """The colour of each line, by the first line of its label."""
    found: dict[str, Any] = {str(line.get_label()): line for line in axes.get_lines()}
    return {name.split("\n")[0]: to_hex(line.get_color()) for name, line in found.items()}


@BOTH
@pytest.mark.parametrize("share", [1.0, 0.4], ids=["finished", "half-finished"])
def test_every_figure_names_model_data_and_metric(
    spec: StudySpec, share: float, tmp_path: Path
) -> None:
    """The model's reference in place of its digest, and no accuracy where there is none."""
    study = tables.stored(stored(tmp_path / "own", spec, share))
    drawn = figures.draw(study.runs, study.curves)
    assert {"valley", "envelope", "profile"} <= set(drawn)
    assert ("curves" in drawn) == (share == 1)
    for name, figure in drawn.items():
        text = words(figure)
        assert "model my_model.py:build, my_model.py:data, batch 32" in text
        assert "own:" not in text
        assert ("accuracy" in text) <= (spec is ACCURACY), name
    aim = {"loss": "validation loss 0.3 or less", "accuracy": "90 % training accuracy"}[spec.name]
    assert f"seconds of training to {aim}" in words(drawn["valley"])
    assert f"seconds of training to {aim}" in words(drawn["envelope"])
    for name in set(study.runs["optimizer"]):
        assert label_of(name) in words(drawn["valley"])
        assert label_of(name) in words(drawn["profile"])


@BOTH
def test_an_optimizer_looks_the_same_in_every_figure(spec: StudySpec, tmp_path: Path) -> None:
    """Also while the study is half finished; no two of a study look alike."""
    whole = tables.stored(stored(tmp_path / "whole", spec))
    half = tables.stored(stored(tmp_path / "half", spec, 0.4))
    drawn = figures.draw(whole.runs, whole.curves)
    once = colours(drawn["valley"].axes[1])
    for figure in (drawn["profile"], drawn["curves"], figures.valley(half.runs)):
        there = colours(figure.axes[-1])
        found = {
            name: colour
            for label, colour in there.items()
            if (name := label.split(" at")[0]) in once
        }
        assert len(found) > 1
        assert found.items() <= once.items()
    each = looks(spec.optimizers).values()
    assert len({(look.colour, look.line) for look in each}) == len(each)


def test_the_six_look_as_ever_and_others_like_nobody_else() -> None:
    """Whoever stands beside them."""
    names = [*(f"mine{i}" for i in range(15)), *OPTIMIZERS]
    found = looks(names)
    assert list(found) == [*OPTIMIZERS, *names[:15]]
    for name in OPTIMIZERS:
        look = found[name]
        expected = figures.LABELS[name], figures.COLOURS[name], figures.MARKERS[name], "-"
        assert (look.label, look.colour, look.marker, look.line) == expected
    assert len({(to_hex(look.colour), look.line) for look in found.values()}) == len(found)
    assert len({(to_hex(look.colour), look.marker) for look in found.values()}) == len(found)
    known = {to_hex(colour) for colour in figures.COLOURS.values()}
    assert not known & {to_hex(found[name].colour) for name in names[:15]}


def test_a_long_label_is_folded_where_a_setting_begins() -> None:
    """And written as people do."""
    assert label_of("adamw") == "AdamW"
    assert label_of("_mine(alpha=1)") == "mine (alpha=1)"
    assert label_of(LION) == looks([LION])[LION].label == "Lion (weight_decay=0.01)"
    lines = looks([LONG])[LONG].label.split("\n")
    assert lines == [
        "SGD (momentum=0.9,",
        "nesterov=true,",
        "weight_decay=0.0005,",
        "clipnorm=1.0)",
    ]
    assert max(map(len, lines)) <= WIDEST_LABEL


def test_rows_above_a_valley_have_room_for_their_labels() -> None:
    """None overlaps the next, however many lines they have."""
    spec = LOSS.with_(optimizers=("sgd", LION, NESTEROV, "adam", "adamw"))
    figure = figures.valley(frame(spec))
    figure.draw_without_rendering()
    ticks = [tick for tick in figure.axes[0].get_yticklabels() if tick.get_text()]
    boxes = sorted((tick.get_window_extent() for tick in ticks), key=lambda box: -box.y0)
    assert len(boxes) == 5
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_curves_show_the_metric_about_its_target(tmp_path: Path) -> None:
    """A loss falls to it, an accuracy rises to it; a curve that did not last is told."""
    study = tables.stored(stored(tmp_path / "loss", LOSS))
    (axes,) = figures.curves(study.curves, study.runs).axes
    assert axes.get_ylabel() == "validation loss"
    low, high = axes.get_ylim()
    assert low < 0.95 * 0.3 < 0.3 < high < 0.9
    lines: dict[Any, Any] = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["AdamW at 0.001"].get_ydata()) == pytest.approx([0.9, 0.45, 0.315, 0.288])
    assert list(lines["target"].get_ydata()) == [0.3, 0.3]
    assert [name for name in lines if "collapsed" in name] == ["SGD at 0.1 (collapsed)"]
    study = tables.stored(stored(tmp_path / "accuracy", ACCURACY))
    (axes,) = figures.curves(study.curves, study.runs).axes
    assert axes.get_ylabel() == "validation accuracy"
    assert "target (training accuracy)" in words(figures.curves(study.curves, study.runs))
    assert "Lion (weight_decay=0.01) at 0.0001 (collapsed)" in words(
        figures.curves(study.curves, study.runs)
    )
    low, high = axes.get_ylim()
    assert 60 < low < 90 < high <= 100


def test_sizes_are_drawn_into_files_that_any_system_can_hold(tmp_path: Path) -> None:
    """One optimizer has the names alone; of several each names its own."""
    study = tables.stored(stored(tmp_path / "own", SIZES))
    kinds = ["size", "sizes", "size-valley", "slopes", "size-parts", "curves"]
    assert list(figures.draw(study.runs, study.curves)) == kinds
    endless = f"lion({','.join(f'option_{i}=1' for i in range(40))})"
    spec = SIZES.with_(optimizers=(LION, "adamw", endless), own=own(SIZES.widths))
    configs = {**own(SIZES.widths).configs, endless: "{}"}
    spec = spec.with_(own={**spec.to_json()["own"], "configs": configs})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(studies.BEST, endless, (1e-4, 3.0))
        paths = figures.write(stored(tmp_path / "three", spec))
    names = [path.stem for path in paths]
    assert "sizes-lion-weight_decay=0.01" in names
    assert "size-valley-adamw" in names
    assert max(map(len, names)) < 110
    assert all(path.exists() for path in paths)


def test_other_figures_take_any_optimizer_and_any_metric() -> None:
    """A contest's panels are in the order of the tables; a population's scores may be losses."""
    titles = [axes.get_title() for axes in figures.picks(picks(), frame(LOSS)).axes]
    assert [" ".join(title.split()) for title in titles if title] == [
        label_of(name) for name in ("sgd", "adamw", LION, NESTEROV)
    ]
    done, title, metric = own_grown(0.3)
    below = figures.lineage(done, title, metric).axes[1]
    assert below.get_ylabel() == "validation loss"
    assert below.get_ylim()[1] < 1
    assert figures.lineage(done, title).axes[1].get_ylabel() == "validation accuracy"
