"""The examples of models of one's own train, at a small size."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

import study
from study.storage.records import Outcome
from study.storage.store import Store
from support.paths import ROOT

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"
FILES = sorted(path.parent.name for path in EXAMPLES.glob("*/model.py"))


def small(spec: study.StudySpec, folder: Path) -> list[Any]:
    """The runs of two rates of the study's first optimizer, of a few steps."""
    spec = spec.with_(
        optimizers=spec.optimizers[:1],
        rates=(0.001, 0.01),
        seeds=1,
        max_epochs=None,
        max_steps=20,
        check_every=10,
    )
    study.run(spec, folder, workers=1, progress=False)
    return Store(folder).runs()


def test_there_is_an_example_of_each_kind() -> None:
    """Four as files for the command line, one in Python."""
    assert FILES == ["house-prices", "sentences", "small-digits", "sorting"]


@pytest.mark.parametrize("name", FILES)
def test_an_example_trains(name: str, tmp_path: Path) -> None:
    """By its own file; the code lies beside it."""
    runs = small(study.read_spec(EXAMPLES / name / "study.toml"), tmp_path / "out")
    assert len(runs) == 2
    assert {run.outcome for run in runs} <= {Outcome.REACHED, Outcome.CAPPED}
    assert all(run.steps for run in runs)


def test_the_example_with_a_step_of_its_own_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its study is in Python, with optimizers that are objects."""
    path = EXAMPLES / "masked-digits" / "masked_digits.py"
    found = importlib.util.spec_from_file_location("masked_digits_example", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, found.name, module)
    found.loader.exec_module(module)
    runs = small(module.SPEC, tmp_path / "out")
    assert {run.outcome for run in runs} <= {Outcome.REACHED, Outcome.CAPPED}
    assert len(runs) == 2
