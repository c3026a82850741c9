"""The step time that follows from seconds alone, where it is known what it must be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.tables import compare
from study.tables.clocks import implied
from study.tables.compare import Side
from support.made import STEP_SECONDS, stored

SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.001, 0.01, 0.1, 0.3), cap=20.0)


def takes(trial: Trial) -> float | str:
    """SGD fails at the smallest rate, Adam at the two largest."""
    if trial.optimizer == "sgd":
        return "capped" if trial.learning_rate == 0.001 else 4.0 + 10 * trial.learning_rate
    return "stuck" if trial.learning_rate >= 0.1 else 5.0


def pair(folder: Path) -> list[Side]:
    """A study that tells seconds but no steps, and one that tells both."""
    first, second = (stored(folder / name, SPEC, takes) for name in ("first", "second"))
    told, other = compare.sides([first, second], anyway=True)[0]
    return [
        replace(told, runs=told.runs.assign(steps=math.nan, seconds=3 * told.runs.seconds)),
        other,
    ]


def test_the_step_time_is_seconds_over_the_steps_elsewhere(tmp_path: Path) -> None:
    """Three times the other's; an optimizer with few cells is counted, and tells nothing."""
    table = implied(pair(tmp_path)).set_index("optimizer")
    assert table.loc["sgd", "cells"] == 3
    assert table.loc["adam", "cells"] == 2
    assert table.loc["sgd", "step_seconds"] == pytest.approx(3 * STEP_SECONDS)
    assert table.loc["sgd", "low"] == pytest.approx(table.loc["sgd", "high"])
    assert table.loc["adam"][["step_seconds", "low", "high", "ratio"]].isna().all()
    assert table["ratio"].isna().all(), "no other optimizer predicts it"


def test_a_study_that_tells_its_steps_needs_no_inference(tmp_path: Path) -> None:
    """The table is empty, with its columns."""
    first, second = (stored(tmp_path / name, SPEC, takes) for name in ("first", "second"))
    table = implied(compare.sides([first, second], anyway=True)[0])
    assert table.empty
    assert "step_seconds" in table


def test_the_published_seconds_imply_no_one_step_time() -> None:
    """By the steps of the tutorial network on a card: five optimizers within a factor of two, and
    RMSProp far from them.
    """
    from support.paths import ROOT

    folders = [
        ROOT / "results" / name
        for name in ("published-k80/grid", "nvidia-h100-80gb-hbm3-x1/tutorial")
    ]
    table = implied(compare.sides(folders, anyway=True)[0]).set_index("optimizer")
    assert table["cells"].sum() == 51
    five = table.drop("rmsprop")["step_seconds"]
    assert five.max() / five.min() < 2
    assert table.loc["rmsprop", "step_seconds"] > 2 * five.max()
    rest = [*five.drop("adam"), table.loc["rmsprop", "step_seconds"]]
    expected = sorted(rest)[2] / five["adam"]
    assert table.loc["adam", "ratio"] == pytest.approx(expected)
