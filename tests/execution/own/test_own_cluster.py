"""The user's own model on dask's workers, which import its file for themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

import study
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support.engines.user_models import KERAS, written
from support.execution.clusters import Dask

pytestmark = pytest.mark.slow


def test_dask_trains_the_user_s_model_as_this_process_does(tmp_path: Path, pair: Dask) -> None:
    """The same ends, by workers that know the file alone; Ray's workers take the same tasks."""
    path = written(tmp_path, KERAS, "on_a_cluster.py")
    spec = study.StudySpec(
        model=f"{path}:build",
        data=f"{path}:load",
        optimizers=("adamw",),
        rates=(0.003, 0.03),
        target=0.7,
        batch=20,
        check_every=10,
        max_steps=40,
        cap=None,
    )
    driver.run(Request(spec, tmp_path / "here", workers=1), progress=False)
    here = {run.id: (run.outcome, run.steps) for run in Store(tmp_path / "here").runs()}
    asked = Request(spec, tmp_path / "there", backend="dask", scheduler=pair.address)
    driver.run(asked, progress=False)
    there = {run.id: (run.outcome, run.steps) for run in Store(tmp_path / "there").runs()}
    assert len(here) == 2
    assert here == there
