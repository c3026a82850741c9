"""Processes and memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.errors import StudyError
from study.execution.planning.resources import Resources, parse_memory, resources
from support.execution.step_times import SPEC
from support.parabola import MACHINE


def test_without_processes_there_is_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where joblib may start none, as with JOBLIB_MULTIPROCESSING=0."""
    monkeypatch.setattr("study.execution.planning.resources.may_start_processes", lambda: False)
    assert resources(SPEC, 96, MACHINE, memory=64e9).jobs == 1
    assert resources(SPEC, 96, MACHINE, jobs=1, memory=64e9).jobs == 1
    with pytest.raises(StudyError, match="workers 2: joblib may start no processes here"):
        resources(SPEC, 96, MACHINE, jobs=2, memory=64e9)


def test_processes_follow_the_cores_the_trials_and_the_memory() -> None:
    """A GPU, and trials alone, take one; the user's word counts."""
    eight = replace(MACHINE, cores=8)
    assert resources(SPEC, 96, eight, memory=64e9).jobs == 6
    assert resources(SPEC, 960, eight, memory=64e9).jobs == 8
    assert resources(SPEC, 6, eight, memory=64e9).jobs == 1
    assert resources(SPEC, 960, eight, memory=4e9).jobs == 2
    assert resources(SPEC, 960, replace(eight, gpus=("H200",)), memory=64e9) == Resources(
        1, 64e9, gpu=True
    )
    assert resources(SPEC.with_(mode="alone"), 960, eight).jobs == 1
    assert resources(SPEC, 96, eight, jobs=3, memory=64e9) == Resources(3, 64e9)


def test_memory_that_holds_no_process_is_refused() -> None:
    """It could only be exceeded."""
    with pytest.raises(
        StudyError, match=r"memory 1GB is less than the 1.2GB that one process takes"
    ):
        resources(SPEC, 96, MACHINE, memory=1e9)


@pytest.mark.parametrize(
    ("text", "size"), [("2TB", 2e12), ("8GB", 8e9), ("512mb", 512e6), ("2.5", 2.5e9), (" 1 G", 1e9)]
)
def test_memory_is_read(text: str, size: float) -> None:
    """With its unit, gigabytes if there is none."""
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "1e3", "nan"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    """With the value."""
    with pytest.raises(StudyError, match="8GB"):
        parse_memory(text)
