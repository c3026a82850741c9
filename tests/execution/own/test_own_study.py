"""A study of the user's own model from end to end: stored, resumed, read without its code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import study
from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support.command import call
from support.engines.user_models import TORCH, data, keras_model, torch_module, written
from support.paths import environment

pytestmark = pytest.mark.slow

GRID: dict[str, Any] = {
    "optimizers": ("adamw", "sgd(momentum=0.9)"),
    "rates": (0.001, 0.03, 1e4),
    "target": 0.75,
    "batch": 20,
    "check_every": 10,
    "max_steps": 60,
    "cap": None,
}


def keras_spec(**fields: Any) -> study.StudySpec:
    """A small study of a Keras model."""
    return study.StudySpec(model=keras_model, data=data, **{**GRID, **fields})


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that has ended."""
    folder = tmp_path_factory.mktemp("own") / "study"
    study.run(keras_spec(), folder, workers=1, progress=False)
    return folder


def test_every_trial_is_stored_with_what_it_was(ran: Path) -> None:
    """Outcomes, checks, sizes, and the facts of the model in spec.json."""
    store = Store(ran)
    spec, runs = store.spec(), store.runs()
    assert {run.id for run in runs} == {trial.id for trial in spec.trials()}
    assert len(runs) == 6
    assert {run.outcome.value for run in runs} >= {"reached"}
    assert set(store.checks()) == {run.id for run in runs}
    assert {run.weights for run in runs} == {99}
    assert spec.own is not None
    assert spec.own.framework == "keras"
    assert spec.model == "support.engines.user_models.keras_model"
    assert {curve.optimizer for curve in store.curves()} <= set(spec.optimizers)


def test_an_ended_study_trains_nothing_again(ran: Path) -> None:
    """Also where the grid has grown, what is stored stays as it is."""
    before = (ran / "runs.jsonl").read_bytes()
    study.run(keras_spec(), ran, workers=1, progress=False)
    assert (ran / "runs.jsonl").read_bytes() == before


def test_the_same_trial_ends_the_same_in_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two workers, each of which builds the model for itself. The number of threads that
    joblib gives a process is no setting of the user's.
    """
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    spec = study.StudySpec(model=torch_module, data=data, loss="cross_entropy", **GRID)
    ends = {}
    for jobs in (1, 2):
        driver.run(Request(spec, tmp_path / str(jobs), workers=jobs), progress=False)
        runs = Store(tmp_path / str(jobs)).runs()
        assert {run.jobs for run in runs} == {jobs}
        assert not any("threads" in run.versions for run in runs)
        ends[jobs] = {run.id: (run.outcome, run.steps) for run in runs}
    assert len(ends[2]) == 6
    assert ends[2] == ends[1]


def test_another_model_or_other_data_are_refused(ran: Path) -> None:
    """In a sentence that says what differs; nothing stored is harmed."""
    before = (ran / "runs.jsonl").read_bytes()

    def wider() -> Any:
        return keras_model(2)

    def other() -> Any:
        (x, y), held = data()
        return (x[:100], y[:100]), held

    with pytest.raises(StudyError, match=r"a study of another model .part . is Dense.units=8"):
        study.run(study.StudySpec(model=wider, data=data, **GRID), ran, progress=False)
    with pytest.raises(StudyError, match="dataset is own:"):
        study.run(study.StudySpec(model=keras_model, data=other, **GRID), ran, progress=False)
    assert (ran / "runs.jsonl").read_bytes() == before


def test_a_goal_may_be_a_loss_on_the_validation_data(tmp_path: Path) -> None:
    """A module of PyTorch, at most a value, within epochs; and a plateau gives up."""
    fields = {**GRID, "metric": "val_loss", "target": 0.8, "max_steps": None, "max_epochs": 12}
    spec = study.StudySpec(model=torch_module, data=data, loss="cross_entropy", **fields)
    runs = study.run(spec, tmp_path / "loss", workers=1, progress=False)
    reached = runs[runs["outcome"] == "reached"]
    assert len(reached)
    assert (reached["best_accuracy"] <= 0.8).all()
    assert (runs["goal"] == "at-most").all()
    others = runs[runs["outcome"] == "capped"]
    assert (others["best_accuracy"] > 0.8).all()
    assert (others["steps"] == 120).all()


def test_results_are_read_without_the_user_s_code(tmp_path: Path) -> None:
    """Tables, figures, claims, report and status; the file is gone."""
    folder, out = tmp_path / "mine", tmp_path / "mine" / "out"
    path = written(folder, TORCH)
    toml = folder / "mine.toml"
    values = {
        **{**GRID, "model": "my_model.py:build", "data": "my_model.py:load", "cap": "none"},
        "loss": "cross_entropy",
    }
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    toml.write_text(text)
    done = call("run", toml, "--out", out, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "6 trials" in done.stdout
    path.unlink()
    for words in (["status"], ["tables"], ["figures"], ["claims"]):
        done = call(*words, out)
        assert done.returncode == 0, (words, done.stderr)
    assert call("report", out, "--out", tmp_path / "report.html").returncode == 0
    done = call("run", toml, "--out", out)
    assert done.returncode == 2
    assert "there is no file" in done.stderr


def test_a_killed_study_loses_only_what_was_in_flight(tmp_path: Path) -> None:
    """SIGKILL while it trains; the same command goes on."""
    folder, out = tmp_path / "mine", tmp_path / "out"
    path = written(folder, TORCH)
    command = [
        *(sys.executable, "-m", "study", "run", "--model", f"{path}:build"),
        *("--data", f"{path}:load", "--loss", "cross_entropy"),
        *("--optimizers", "adamw,sgd", "--rates", "1e-5:1e-4:4"),
        *("--cap", "none", "--max-steps", "200", "--check-every", "10", "--batch", "20"),
        *("--target", "0.99", "--workers", "1", "--out", str(out)),
    ]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    runs = out / "runs.jsonl"
    while process.poll() is None and not (runs.exists() and runs.read_bytes().count(b"\n") >= 2):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = runs.read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    again = subprocess.run(command, env=environment(), capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    assert runs.read_bytes().startswith(before)
    store = Store(out)
    assert sorted(run.id for run in store.runs()) == sorted(t.id for t in store.spec().trials())


def test_an_array_that_does_not_fit_is_halved(tmp_path: Path) -> None:
    """As those of the built-in networks."""
    from study.engines.own.torch.arrays import ModuleArrays

    class Small(ModuleArrays):
        def steps(self, state: Any, arrays: Any, order: Any, rates: Any) -> Any:
            if rates.shape[1] > 2:
                raise RuntimeError("DefaultCPUAllocator: not enough memory: out of memory")
            return super().steps(state, arrays, order, rates)

    import study.engines.own.torch.arrays as arrays

    fields = {**GRID, "optimizers": ("sgd",), "rates": (0.001, 0.003, 0.01, 0.03)}
    spec = study.StudySpec(model=torch_module, data=data, loss="cross_entropy", **fields)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "ModuleArrays", Small)
        runs = study.run(spec, tmp_path / "small", workers=1, progress=False)
    assert len(runs) == 4
    assert set(runs["outcome"]) <= {"reached", "capped"}
    assert set(runs["lanes"]) <= {1, 2}
