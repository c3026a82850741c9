"""Modules of PyTorch in processes of their own, and their threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.engines.own.choice import WAITING, OwnChoice
from study.engines.own.code import Code
from support.engines.user_models import data, torch_module
from support.paths import environment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("asked", [None, "active"])
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(
    asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that spins takes the core from the one that it waits for."""
    monkeypatch.delenv(WAITING, raising=False)
    if asked:
        monkeypatch.setenv(WAITING, asked)
    OwnChoice(Code(torch_module, data)).data()
    assert os.environ[WAITING] == (asked or "passive")


def test_an_array_is_silent_about_operations_that_it_does_lane_by_lane(tmp_path: Path) -> None:
    """Attention is one; whether an array is worth it is measured."""
    code = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
import torch
from study.engines.own.code import Code
from support.engines.user_models import data, engine_of

class Attends(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)
        self.last = torch.nn.Linear(6, 3)
    def forward(self, x):
        return self.last(self.inner(x[:, None])[:, 0])

spec, engine = engine_of(Code(Attends, data, "cross_entropy"), rates=(0.01, 0.1))
learner = engine.learner(spec.trials()[:2])
learner.advance(np.full((2, learner.lanes), 0.01))
learner.evaluate()
print(learner.program.together)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert "performance drop" not in done.stderr


SCRIPT = """
import sys
import torch
import study
from support.engines.user_models import data

class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(6, 3)

    def forward(self, x):
        return self.last(x)

if __name__ == "__main__":
    spec = study.StudySpec(
        model=Mine, data=data, loss="cross_entropy", optimizers=("adam",), rates=(0.003, 0.03),
        batch=20, check_every=10, max_steps=20, cap=None,
    )
    print(len(study.run(spec, sys.argv[1], workers=2, progress=False)))
"""


@pytest.mark.parametrize("way", ["file", "text"])
def test_a_class_of_a_script_is_known_to_its_workers(way: str, tmp_path: Path) -> None:
    """They get it without the file that it is in, or there is none."""
    (tmp_path / "mine.py").write_text(SCRIPT)
    code = [str(tmp_path / "mine.py")] if way == "file" else ["-c", SCRIPT]
    done = subprocess.run(
        [sys.executable, *code, str(tmp_path / "out")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
