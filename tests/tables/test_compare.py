"""Studies side by side, and a study's seconds on another machine: made-up ones whose ratios are
known.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from study import figures, tables
from study.errors import StudyError
from study.execution import auto_rates, predict
from study.execution.planning.estimates import guess, measuring_seconds, step_seconds
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.tables import compare
from support.made import STEP_SECONDS, made, stored
from support.parabola import MACHINE, ParabolaEngine

SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.001, 0.01, 0.1), seeds=3, cap=20.0)


def takes(trial: Trial) -> float | str:
    """Adam fails at the largest rate, SGD at the smallest."""
    if (trial.optimizer, trial.learning_rate) in (("adam", 0.1), ("sgd", 0.001)):
        return "capped" if trial.optimizer == "sgd" else "stuck"
    return 4.0 + trial.seed


def slower(trial: Trial) -> float | str:
    """Twice the seconds, of which half is more steps; Adam fails at 0.01 too."""
    if trial.optimizer == "adam" and trial.learning_rate == 0.01:
        return "stuck"
    value = takes(trial)
    return 2 * value if isinstance(value, float) else value


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    first = stored(tmp_path / "first", SPEC, takes)
    second = stored(
        tmp_path / "second",
        SPEC.with_(cap=40),
        slower,
        {"tensorflow": "3"},
        machine="other",
        fingerprint="89ab4567",
    )
    return [first, second]


def test_what_differs_is_said(pair: list[Path]) -> None:
    """Machine, versions, budget: comparable; the names are the machines'."""
    studies, said = compare.sides(pair)
    assert [side.name for side in studies] == ["test-machine", "other"]
    assert said == [
        "machine: test-machine, other",
        "version of tensorflow: 2, 3",
        "cap: 20.0, 40.0",
    ]


def test_studies_of_different_things_are_refused(tmp_path: Path, pair: list[Path]) -> None:
    """Unless they are to be compared anyway."""
    other = stored(tmp_path / "third", SPEC.with_(target=0.9), takes)
    with pytest.raises(StudyError, match=r"differ in target \(target: 0.97 and 0.9\).*--anyway"):
        compare.sides([pair[0], other])
    studies, said = compare.sides([pair[0], other], anyway=True)
    assert [side.name for side in studies] == ["test-machine/first", "test-machine/third"]
    assert "target: 0.97, 0.9" in said
    with pytest.raises(StudyError, match="1 folder"):
        compare.sides(pair[:1])


def test_a_ratio_of_seconds_is_steps_times_step_time(pair: list[Path]) -> None:
    """Cell by cell, and in the median; cells that arrived in one alone are counted."""
    studies, _ = compare.sides(pair)
    cells = compare.ratios(studies)
    both = cells[cells["arrived"] == "both"]
    assert len(both) == 3
    assert both["seconds"].tolist() == pytest.approx([2.0] * 3)
    assert (both["steps"] * both["step_seconds"]).tolist() == pytest.approx([2.0] * 3)
    (row,) = compare.summary(cells, ["other"]).to_dict("records")
    assert (row["cells"], row["both"], row["first"], row["second"], row["neither"]) == (
        6,
        3,
        1,
        0,
        2,
    )
    assert (row["ratio"], row["spread"], row["steps"], row["step_seconds"]) == pytest.approx(
        (2, 1, 2, 1)
    )
    best: Any = compare.best(studies)
    assert (
        best.loc[(1.0, "sgd"), ("other", "seconds")]
        == 2 * best.loc[(1.0, "sgd"), ("test-machine", "seconds")]
    )


def test_names_tell_studies_apart(tmp_path: Path) -> None:
    """Machines, or machine and folder, or the paths; a study is not compared with itself."""
    places = [tmp_path / "a" / "one", tmp_path / "b" / "one"]
    for place in places:
        stored(place, SPEC, takes)
    studies, said = compare.sides(places)
    assert [side.name for side in studies] == [str(place) for place in places]
    assert said == []
    assert [side.spec for side in studies] == [SPEC, SPEC]
    with pytest.raises(StudyError, match="is named twice: a study is not compared with itself"):
        compare.sides([places[0], tmp_path / "a" / "." / "one"])
    with pytest.raises(StudyError, match="0 folders to compare: name at least two"):
        compare.sides([])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "jax", "precision": "tf32"},
         ["engine: tensorflow, jax", "precision: float32, tf32", "version of numpy: 1, 2"]),
        ({}, ["version of tensorflow: 2, not known", "version of keras: 3, not known",
              "version of numpy: 1, 2"]),
    ],
)  # fmt: skip
def test_what_belongs_to_one_engine_is_told_of_equal_engines_alone(
    tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    """Versions come from machine.json."""
    versions = {"python": "3.11", "tensorflow": "2", "keras": "3", "numpy": "1"}
    first = stored(tmp_path / "first", SPEC, takes, versions)
    other = {"python": "3.11", "numpy": "2"}
    second = stored(tmp_path / "second", SPEC, takes, other, **changes)
    assert compare.sides([first, second])[1] == said
    (second / "machine.json").write_text(json.dumps({"versions": "none"}))
    assert "version of python: 3.11, not known" in compare.sides([first, second])[1]


@pytest.mark.parametrize(
    ("paths", "digests", "differ"),
    [
        (("a.npz", "b.npz"), ("a" * 32, "a" * 32), False),
        (("a.npz", "b.npz"), ("a" * 32, "b" * 32), True),
        (("a.npz", "b.npz"), ("x", "x"), True),
        (("a.npz", "a.npz"), ("a" * 32, "b" * 32), True),
        (("a.npz", "a.npz"), ("a" * 32, "a" * 32), False),
        (("a.npz", "a.npz"), ("x", "a" * 32), False),
        (("a.npz", "a.npz"), ("x", "y"), False),
    ],
)
def test_data_sets_are_told_apart_by_their_digest(
    tmp_path: Path, paths: tuple[str, str], digests: tuple[str, str], differ: bool
) -> None:
    """Where both studies state one, and else by their names."""
    folders = []
    for number, (path, digest) in enumerate(zip(paths, digests, strict=True)):
        folder = stored(tmp_path / str(number), SPEC.with_(dataset=path), takes)
        row = json.loads((folder / "spec.json").read_text())
        (folder / "spec.json").write_text(json.dumps({**row, "dataset_md5": digest}))
        folders.append(folder)
    said = compare.sides(folders, anyway=True)[1]
    assert ([line for line in said if line.startswith("dataset: ")] != []) == differ
    if differ:
        with pytest.raises(StudyError, match=r"the studies differ in dataset \(dataset: "):
            compare.sides(folders)


def test_valleys_are_drawn_over_each_other(pair: list[Path]) -> None:
    """A panel an optimizer, a line a study; in seconds and in steps. What did not arrive is hollow,
    at the budget.
    """
    studies, _ = compare.sides(pair)
    for measure in ("seconds", "steps"):
        figure = figures.overlay({side.name: side.runs for side in studies}, measure)
        panels = [axes for axes in figure.axes if axes.get_visible()]
        assert [axes.get_title() for axes in panels] == ["SGD", "Adam"]
        assert [len(axes.get_lines()) for axes in panels] == [2, 2]
        low, high = panels[0].get_ylim()
        assert sum(low <= tick <= high for tick in panels[0].get_yticks()) > 2
        hollow = [each for each in panels[0].collections if isinstance(each, PathCollection)]
        points = [np.asarray(each.get_offsets()).tolist() for each in hollow]
        unit = STEP_SECONDS if measure == "steps" else 1.0
        assert points == [[[0.001, pytest.approx(cap / unit)]] for cap in (20.0, 40.0)]
    with pytest.raises(StudyError, match="unknown measure"):
        figures.overlay({}, "hours")


def test_a_foreign_study_is_predicted_and_checked_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step times are measured here and kept with this machine's results."""
    monkeypatch.chdir(tmp_path)
    spec = StudySpec(
        optimizers=("sgd", "adam"),
        rates=(0.05,),
        widths=(1.0, 2.0),
        cap=8.0,
        target=0.97,
    )
    folder = stored(
        tmp_path / "foreign", spec, lambda trial: 4.0, machine="far away", fingerprint="89ab4567"
    )
    before = sorted(path.name for path in folder.iterdir())
    table, checks = predict.predict(folder, 2, factory=lambda images: ParabolaEngine())
    assert len(table) == 4
    assert table["seconds_here"].notna().all()
    assert len(checks) == 2
    assert all(check.outcome == "reached" for check in checks)
    assert {check.to_json()["id"] for check in checks} <= set(table["id"])
    assert sorted(path.name for path in folder.iterdir()) == before
    (kept,) = tmp_path.glob("results/calibration.json")
    assert len(pd.read_json(kept)) == 4


def test_of_many_widths_a_few_step_times_are_measured(tmp_path: Path) -> None:
    """The others lie between them."""
    spec = StudySpec(optimizers=("adam",), rates=(0.1,), widths=tuple(1 + k / 4 for k in range(36)))
    trials = spec.trials()
    chosen = predict._spread(trials, 40.0)
    assert 5 < len(chosen) < 15
    assert sum(map(measuring_seconds, chosen)) <= 40
    assert {chosen[0].width, chosen[-1].width} == {1.0, 9.75}
    slow = [
        replace(trial, network="tutorial", batch=1000) for trial in trials
    ]  # the smallest alone fits
    assert [trial.width for trial in predict._spread(slow, 40.0)] == [1.0]
    times = Calibration([tmp_path / "calibration.json"], MACHINE, "test")

    def line(trial: Trial) -> float:
        return 1e-3 + 1e-9 * network_of(trial).multiply_adds

    assert step_seconds(trials[0], times) == guess(trials[0], lanes=1)
    times.pin((trial, line(trial)) for trial in chosen[:1])
    double = replace(trials[0], width=2.0)  # in proportion
    factor = network_of(double).multiply_adds / network_of(trials[0]).multiply_adds
    assert step_seconds(double, times) == pytest.approx(line(trials[0]) * factor)
    times.pin((trial, line(trial)) for trial in chosen)
    between = next(trial for trial in trials if trial not in chosen)
    beyond = replace(trials[0], width=12.0)
    for trial in (between, beyond, chosen[0]):
        assert step_seconds(trial, times) == pytest.approx(line(trial))
    other = replace(between, batch=200)  # nothing is known of it
    assert step_seconds(other, times) == guess(other, lanes=1)


def test_rates_around_the_best_of_a_grid(tmp_path: Path) -> None:
    """Six, of which one is the best itself; without a grid or an arrival a sentence."""
    runs = made(SPEC, takes)
    assert tables.rates_around(runs, "adam") == (
        0.0001,
        0.000215,
        0.000464,
        0.001,
        0.00147,
        0.00215,
    )
    folder = stored(tmp_path / "grid", SPEC, takes)
    one = SPEC.with_(optimizers=("adam",))
    rates, source = auto_rates.rates_around(f"auto:{folder}", one, tmp_path / "new")
    assert (rates[3], source) == (0.001, folder)
    kept = stored(
        tmp_path / "kept", one.with_(rates=(0.5, 0.6)), takes
    )  # a study that has begun keeps its rates
    assert auto_rates.rates_around("auto", one, kept)[0] == (0.5, 0.6)
    with pytest.raises(StudyError, match="holds no study"):
        auto_rates.rates_around(f"auto:{tmp_path / 'nowhere'}", one, kept)
    with pytest.raises(StudyError, match="rmsprop reached the target at no rate"):
        tables.rates_around(runs, "rmsprop")
    with pytest.raises(StudyError, match="name one"):
        auto_rates.rates_around("auto", SPEC, None)
