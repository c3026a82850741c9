"""The examples of programs run, at a small size."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import study
from study.execution import driver
from study.execution.request import Request
from study.spec.program import words_of
from study.storage.records import Outcome
from study.storage.store import Store
from support.paths import ROOT

EXAMPLES = ROOT / "examples"


def spec_in(name: str, monkeypatch: pytest.MonkeyPatch) -> study.StudySpec:
    """The study of an example, from its folder, by this very Python."""
    monkeypatch.chdir(EXAMPLES / name)
    spec = study.read_spec(Path("study.toml"))
    words = [sys.executable if word == "python" else word for word in words_of(spec.command)]
    return replace(spec, command=shlex.join(words))


def ran(spec: study.StudySpec, folder: Path) -> Store:
    """The store after a run."""
    driver.run(Request(spec, folder, workers=1), progress=False)
    return Store(folder)


def test_a_shell_script_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are read by a pattern; descent on a bowl has a closed form."""
    spec = spec_in("shell", monkeypatch).with_(rates=(0.01, 0.03, 0.1), seeds=1)
    runs = {run.trial.learning_rate: run for run in ran(spec, tmp_path / "out").runs()}
    assert {rate: run.outcome.value for rate, run in runs.items()} == {
        0.01: "reached",
        0.03: "reached",
        0.1: "diverged",
    }
    # The flat direction takes longest: (1 + r)^2 (1 - 2 rate)^(2 step) = 0.001, r in [0, 1].
    assert 100 < (runs[0.03].steps or 0) * 3 < (runs[0.01].steps or 0) * 1.4 < 400


@pytest.mark.slow
def test_a_script_of_pytorch_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows nothing of this project, and is stopped when it arrives; the study goes on."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    spec = spec_in("train_py", monkeypatch)
    assert len(spec.optimizers) * len(spec.rates) == 12
    assert "study" not in (EXAMPLES / "train_py" / "train.py").read_text()
    spec = spec.with_(optimizers=("Adam",), rates=(0.01,))
    store = ran(spec, tmp_path / "out")
    both = spec.with_(rates=(0.01, 0.1))
    first, second = ran(both, store.folder).runs()
    assert first == Store(tmp_path / "out").runs()[0]
    assert {first.outcome, second.outcome} == {Outcome.REACHED}
    assert first.first_step == 0
    assert 0 < (first.steps or 0) <= 500
    assert (first.startup or 0) > 0
