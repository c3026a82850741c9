"""The user's own model on dask's and Ray's workers, which import its file for themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import study
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support.engines.user_models import KERAS, TORCH, written
from support.execution.clusters import Dask
from support.execution.ray_head import head
from support.paths import environment

pytestmark = pytest.mark.slow


def spec_of(folder: Path, text: str, loss: str = "") -> study.StudySpec:
    """Two trials of a file."""
    path = written(folder, text, "on_a_cluster.py")
    return study.StudySpec(
        model=f"{path}:build",
        data=f"{path}:load",
        loss=loss,
        optimizers=("adamw",),
        rates=(0.003, 0.03),
        target=0.7,
        batch=20,
        check_every=10,
        max_steps=40,
        cap=None,
    )


def ends(folder: Path) -> dict[str, tuple[str, int | None]]:
    """How each trial ended."""
    return {run.id: (run.outcome, run.steps) for run in Store(folder).runs()}


def test_dask_trains_the_user_s_model_as_this_process_does(tmp_path: Path, pair: Dask) -> None:
    """The same ends, by workers that know the file alone."""
    spec = spec_of(tmp_path, KERAS)
    driver.run(Request(spec, tmp_path / "here", workers=1), progress=False)
    asked = Request(spec, tmp_path / "there", backend="dask", scheduler=pair.address)
    driver.run(asked, progress=False)
    assert len(ends(tmp_path / "here")) == 2
    assert ends(tmp_path / "here") == ends(tmp_path / "there")


def test_ray_does_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command line, since a process joins one cluster of Ray's in its life."""
    spec = spec_of(tmp_path, TORCH, "cross_entropy")
    with head(tmp_path, monkeypatch) as ray:
        words = [
            *("run", "--model", str(spec.model), "--data", str(spec.data), "--optimizers", "adamw"),
            *("--loss", "cross_entropy"),
            *("--rates", "0.003,0.03", "--target", "0.7", "--batch", "20", "--check-every", "10"),
            *("--max-steps", "40", "--cap", "none", "--out", str(tmp_path / "there")),
            *("--backend", "ray", "--scheduler", ray.address),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "study", *words],
            env=environment(),
            capture_output=True,
            text=True,
        )
    driver.run(Request(spec, tmp_path / "here", workers=1), progress=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert ends(tmp_path / "here") == ends(tmp_path / "there")
