"""A study that is interrupted again and again ends as an undisturbed one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import study
from study import data, tables
from study.engines.learner import Floats
from study.execution import driver
from study.execution.request import Request
from study.spec.trial import Trial
from study.storage.store import Store
from support.driving import SMALL, TIMES, run
from support.parabola import Parabola, ParabolaEngine

pytestmark = pytest.mark.slow


class Stopping(Parabola):
    """Is interrupted when `left` steps of any of its kind are done."""

    left: list[int]

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        self.left[0] -= 1
        if not self.left[0]:
            raise KeyboardInterrupt
        return super().advance(rates, momenta)


@pytest.fixture(scope="module")
def quickly(whole: Store) -> Iterator[Path]:
    """The images are read once for all runs; gives the step times, so that seconds repeat too."""
    with pytest.MonkeyPatch.context() as patch:
        images = data.load("mnist")
        patch.setattr(data, "load", lambda name: images)
        yield whole.folder / "calibration.json"


_made: dict[tuple[str, ...], dict[str, pd.DataFrame]] = {}


def tables_of(of: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of some rows of the whole study, made once."""
    key = tuple(of["id"])
    if key not in _made:
        _made[key] = {name: make(of) for name, make in tables.TABLES.items()}
    return _made[key]


@settings(max_examples=5 * TIMES)
@given(stops=st.lists(st.integers(1, 300), max_size=4))
def test_tables_of_an_interrupted_study_are_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, whole: Store, quickly: Path, stops: list[int]
) -> None:
    """Whatever interrupts it: what is stored gives the rows, and the tables, that the whole study
    gives of those trials.
    """
    folder = tmp_path_factory.mktemp("interrupted")
    shutil.copy(quickly, folder)

    def rows(of: pd.DataFrame) -> pd.DataFrame:
        return of.drop(columns=["lanes", "started_at"]).reset_index(drop=True)

    everything, known = tables.load(whole.folder), 0
    for stop in [*stops, 0]:

        class Engine(ParabolaEngine):
            def learner(self, trials: Sequence[Trial], left: list[int] = [stop]) -> Parabola:  # noqa: B006
                learner = Stopping(list(super().learner(trials).c))
                learner.left = left
                return learner

        try:
            run(SMALL, folder, lambda images, engine=Engine: engine())  # type: ignore[misc]
        except KeyboardInterrupt:
            assert stop
        stored = tables.load(folder)
        same = everything[everything["id"].isin(stored["id"] if len(stored) else [])]
        if len(stored):
            pd.testing.assert_frame_equal(rows(stored), rows(same))
        if len(stored) > known:  # else its tables were made before
            for name, expected in tables_of(same).items():
                pd.testing.assert_frame_equal(tables.TABLES[name](stored), expected)
        known = len(stored)
    assert len(stored) == len(SMALL)


def test_what_real_training_had_stored_is_the_uninterrupted_studys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TensorFlow lanes: stopped after each number of rows, those are bit for bit the whole
    study's, and resuming leaves them alone.

    What was in flight trains again in a smaller array, which sums in another order: it ends the
    same way.
    """
    small = study.preset("smoke").with_(network="mlp", widths=(0.1,), optimizers=("sgd",))
    spec = small.with_(rates=(0.01, 0.3, 1e3), max_steps=200)
    shared = tmp_path / "calibration.json"

    def rows(folder: Path) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in run.to_json().items() if key != "started_at"}
            for run in Store(folder).runs()
        ]

    def train(folder: Path) -> list[dict[str, Any]]:
        folder.mkdir(exist_ok=True)
        if shared.exists():
            shutil.copy(shared, folder)
        driver.run(Request(spec, folder, workers=1), progress=False)
        return rows(folder)

    whole = train(tmp_path / "whole")
    shutil.copy(tmp_path / "whole" / "calibration.json", shared)
    assert len({row["steps"] for row in whole}) > 1
    append = Store.append
    for kept in range(1, len(whole)):
        folder = tmp_path / str(kept)

        def interrupted(store: Store, *row: Any, kept: int = kept, folder: Path = folder) -> None:
            if len(rows(folder)) == kept:
                raise KeyboardInterrupt
            append(store, *row)

        with monkeypatch.context() as patch:
            patch.setattr(Store, "append", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(folder)
        assert rows(folder) == whole[:kept]
        again = train(folder)
        assert again[:kept] == whole[:kept]
        ends = [{row["id"]: row["outcome"] for row in stored} for stored in (again, whole)]
        assert ends[0] == ends[1]
