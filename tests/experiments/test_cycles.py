"""The case study of cyclical rates on parabolas, whose error is a product of known factors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study import data, figures
from study.errors import StudyError
from study.experiments import cycles
from study.tables import case_study
from study.tables.case_study import (
    ARMS,
    CONTROL,
    CONTROL_ON,
    EPOCHS,
    FIRST,
    HALF,
    HIGH,
    LOW,
    PEAK,
    PUBLISHED,
    SCRATCH,
)
from support.parabola import CURVATURE, ParabolaEngine
from support.paths import ROOT

pytestmark = pytest.mark.slow

IMAGES = 4000
"""Two steps an epoch at batch 2,000, twenty at batch 200."""

C = CURVATURE["adam"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The arms on parabolas, one seed."""
    return pd.DataFrame(cycles.train(0, ParabolaEngine(), IMAGES))


def error(rows: pd.DataFrame, arm: str, epoch: int = EPOCHS) -> float:
    """An arm's test error after an epoch."""
    (found,) = rows[(rows["arm"] == arm) & (rows["epoch"] == epoch)]["test_error"]
    return float(found)


def triangle(half: int, steps: int) -> list[float]:
    """The article's cycle, by CLR's formula."""
    rates = []
    for t in range(steps):
        cycle = math.floor(1 + t / (2 * half))
        rates.append(LOW + (HIGH - LOW) * max(0.0, 1 - abs(t / half - 2 * cycle + 1)))
    return rates


def left(rates: list[float]) -> float:
    """What is left of a parabola's weight, which is its error, after steps at these rates."""
    return float(np.prod([1 - rate * C for rate in rates]))


def test_every_arm_trains_as_its_name_says(rows: pd.DataFrame) -> None:
    """Constant and cyclical, from scratch and from where the first one ended."""
    first = left([LOW] * 20 * EPOCHS)
    steps = 2 * EPOCHS
    assert error(rows, FIRST) == pytest.approx(first, abs=1e-6)
    assert error(rows, CONTROL) == pytest.approx(left([LOW] * steps), abs=1e-6)
    assert error(rows, SCRATCH) == pytest.approx(left(triangle(2000, steps)), abs=1e-6)
    assert error(rows, PUBLISHED) == pytest.approx(first * left(triangle(2000, steps)), abs=1e-6)
    assert error(rows, CONTROL_ON) == pytest.approx(first * left([LOW] * steps), abs=1e-6)
    assert error(rows, "three cycles, triangular") == pytest.approx(
        left(triangle(HALF, steps)), abs=1e-6
    )
    assert error(rows, PEAK, 1) == pytest.approx(left([HIGH] * 2), abs=1e-6)


def test_every_arm_has_every_epoch(rows: pd.DataFrame) -> None:
    """And counts its own steps."""
    assert len(rows) == len(ARMS) * EPOCHS
    steps = rows[rows["epoch"] == EPOCHS].set_index("arm")["steps"]
    assert steps.to_dict() == {arm.name: IMAGES // arm.batch * EPOCHS for arm in ARMS}


def test_a_folder_is_resumed_and_kept_to_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More seeds go on; nothing is trained twice; another data set is refused; a torn line is
    trained again.
    """
    trained: list[int] = []
    real = cycles.train

    def counting(seed: int, *arguments: object, **options: object) -> object:
        trained.append(seed)
        return real(seed, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(cycles, "train", counting)
    factory = lambda images: ParabolaEngine()  # noqa: E731
    cycles.run_cycles(tmp_path, 1, factory=factory)
    with (tmp_path / case_study.FILE).open("a") as file:
        file.write('{"seed": 1, "rows": [{"arm"')
    table = cycles.run_cycles(tmp_path, 2, factory=factory)
    assert trained == [0, 1]
    assert table["seed"].nunique() == 2
    assert table["seconds"].notna().all()
    assert pd.read_csv(tmp_path / "cycles.csv")["test_error"].tolist() == pytest.approx(
        table["test_error"].tolist()
    )
    with pytest.raises(StudyError, match="holds another case study"):
        cycles.run_cycles(tmp_path, 2, "fashion-mnist", factory=factory)
    with pytest.raises(StudyError, match="holds no case study"):
        case_study.read(tmp_path / "nowhere")


def test_the_figure_shows_every_arm(rows: pd.DataFrame) -> None:
    """Curves of the five arms of the article and its controls, a line of dots for each of all."""
    left_, right = figures.cycles(rows.assign(seconds=rows["steps"] * 0.01)).axes
    assert [line.get_label() for line in left_.get_lines()] == [
        FIRST,
        SCRATCH,
        CONTROL,
        PUBLISHED,
        CONTROL_ON,
    ]
    assert [text.get_text() for text in right.get_yticklabels()] == [arm.name for arm in ARMS][::-1]


def test_real_perceptrons_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch of every arm on MNIST with a narrow network: errors fall, and arms of one batch and
    rate agree.
    """
    from study.engines.choice import TENSORFLOW

    real = case_study.trial_of
    monkeypatch.setattr(
        cycles, "trial_of", lambda arm, seed, dataset: replace(real(arm, seed, dataset), width=0.05)
    )
    monkeypatch.setattr(cycles, "EPOCHS", 1)
    images = data.load()
    table = pd.DataFrame(cycles.train(0, TENSORFLOW(images), len(images.x_train)))
    assert (table["test_error"] < 0.6).all()
    assert error(table, CONTROL_ON, 1) < error(table, FIRST, 1)
    assert error(table, CONTROL, 1) > error(table, FIRST, 1)


def test_data_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    """Another path of the same images goes on; other images at the same path do not."""
    factory = lambda images: ParabolaEngine()  # noqa: E731
    arrays = dict(np.load(ROOT / "study" / "data" / "mnist.npz"))
    small = {name: array[:10_100] for name, array in arrays.items()}
    paths = tmp_path / "images.npz", tmp_path / "moved" / "images.npz"
    paths[1].parent.mkdir()
    np.savez(paths[0], **small)
    cycles.run_cycles(tmp_path / "out", 1, str(paths[0]), factory=factory)
    paths[0].rename(paths[1])
    table = cycles.run_cycles(tmp_path / "out", 2, str(paths[1]), factory=factory)
    assert table["seed"].nunique() == 2
    np.savez(paths[1], **{**small, "y_train": small["y_train"][::-1]})
    with pytest.raises(StudyError, match="holds another case study"):
        cycles.run_cycles(tmp_path / "out", 3, str(paths[1]), factory=factory)
