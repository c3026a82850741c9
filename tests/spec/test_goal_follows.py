"""The goal of a study follows its metric, however the metric comes into the spec."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.spec.presets import read_spec
from study.spec.study import StudySpec

MINE = StudySpec(model="mine.py:build", data="mine.py:load", metric="val_loss", target=0.1)


def test_a_file_with_a_loss_as_metric_is_to_fall(tmp_path: Path) -> None:
    """As in Python, though the file's values replace defaults, whose metric is to rise."""
    path = tmp_path / "mine.toml"
    code = 'model = "mine.py:build"\ndata = "mine.py:load"\n'
    path.write_text(f'{code}metric = "val_loss"\ntarget = 0.1\n')
    assert read_spec(path).goal == MINE.goal == "at-most"
    path.write_text(f'{code}metric = "val_loss"\ngoal = "at-least"\n')
    assert read_spec(path).goal == "at-least"


@pytest.mark.parametrize(
    ("first", "changes", "goal"),
    [
        ({}, {"metric": "val_auc"}, "at-least"),
        ({}, {"target": 0.2}, "at-most"),
        ({"metric": "distance", "goal": "at-most"}, {"metric": "val_distance"}, "at-most"),
        ({"metric": "distance", "goal": "at-most"}, {"target": 0.2}, "at-most"),
        ({}, {"metric": "val_auc", "goal": "at-most"}, "at-most"),
    ],
)
def test_a_changed_metric_brings_its_goal(
    first: dict[str, str], changes: dict[str, str], goal: str
) -> None:
    """Unless the goal was, or is, another than the metric's own."""
    assert MINE.with_(**first).with_(**changes).goal == goal


def test_the_target_of_an_accuracy_is_a_share() -> None:
    """Also of a model of the user's own; that of a loss may be any number."""
    assert MINE.with_(target=97).target == 97
    with pytest.raises(StudyError, match="target 97"):
        MINE.with_(metric="val_accuracy", goal=None, target=97)
