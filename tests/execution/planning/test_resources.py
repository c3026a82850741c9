"""Processes and memory."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace
from typing import Any

import pytest

from study.engines.learner import FEW_SIZES, LANE_SIZES
from study.errors import StudyError
from study.execution.planning import resources as planning
from study.execution.planning.resources import (
    Crew,
    Resources,
    may_start_processes,
    parse_memory,
    resources,
)
from study.machine.facts import Site
from support.execution.step_times import SPEC
from support.parabola import MACHINE

EIGHT = replace(MACHINE, cores=8)
GPUS = replace(EIGHT, gpus=("H200", "H200"))
ALONE = SPEC.with_(mode="alone")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its free memory, the addresses of a process, and whether there may be others."""
    given = SimpleNamespace(free=100e9, addresses=math.inf, processes=True)
    monkeypatch.setattr(planning, "free_memory", lambda: given.free)
    monkeypatch.setattr(planning, "addresses", lambda: given.addresses)
    monkeypatch.setattr(planning, "may_start_processes", lambda: given.processes)
    return given


def test_without_processes_there_is_one_worker(machine: Any) -> None:
    """Where joblib may start none, as with JOBLIB_MULTIPROCESSING=0."""
    machine.processes = False
    assert resources(SPEC, 96, MACHINE, memory=64e9).jobs == 1
    assert resources(SPEC, 96, MACHINE, jobs=1, memory=64e9).jobs == 1
    with pytest.raises(StudyError, match="workers 2: joblib may start no processes here"):
        resources(SPEC, 96, MACHINE, jobs=2, memory=64e9)


def test_a_daemon_may_have_no_children(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the error says, and not that joblib may not."""
    machine.processes = False
    daemon = SimpleNamespace(daemon=True)
    monkeypatch.setattr("multiprocessing.current_process", lambda: daemon)
    with pytest.raises(StudyError, match="workers 2: this process is a daemonic one"):
        resources(SPEC, 96, MACHINE, jobs=2, memory=64e9)


@pytest.mark.parametrize(
    ("daemon", "jobs", "may"), [(False, 2, True), (False, 1, False), (True, 2, False)]
)
def test_joblib_is_asked_for_two_processes(
    daemon: bool, jobs: int, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may give one. A process of multiprocessing.Pool is not asked for any."""
    asked: list[int] = []

    def effective(number: int) -> int:
        asked.append(number)
        return jobs

    process = SimpleNamespace(daemon=daemon)
    monkeypatch.setattr("multiprocessing.current_process", lambda: process)
    monkeypatch.setattr("joblib.effective_n_jobs", effective)
    assert may_start_processes() is may
    assert asked == ([] if daemon else [2])


@pytest.mark.parametrize(
    ("spec", "pending", "of", "memory", "jobs"),
    [
        (SPEC, 960, EIGHT, 64e9, 8),
        (SPEC, 128, EIGHT, 64e9, 8),
        (SPEC, 113, EIGHT, 64e9, 8),
        (SPEC, 112, EIGHT, 64e9, 7),
        (SPEC, 17, EIGHT, 64e9, 2),
        (SPEC, 16, EIGHT, 64e9, 1),
        (SPEC, 0, EIGHT, 64e9, 1),
        (SPEC, 960, EIGHT, 4.8e9, 3),
        (SPEC, 960, EIGHT, 4.8e9 - 1, 2),
        (SPEC, 960, EIGHT, 1.2e9, 1),
        (ALONE, 960, EIGHT, 64e9, 1),
        (SPEC, 960, GPUS, 64e9, 2),
        (SPEC, 16, GPUS, 64e9, 1),
        (ALONE, 960, GPUS, 64e9, 1),
    ],
)
def test_processes_follow_the_cores_the_arrays_and_the_memory(
    machine: Any, spec: Any, pending: int, of: Any, memory: float, jobs: int
) -> None:
    """Arrays of 16 trials; 1.2 GB for each process and for the one that leads them. A GPU takes
    one process, and so do trials alone.
    """
    expected = Resources(jobs, memory, gpu=bool(of.gpus))
    assert resources(spec, pending, of, memory=memory) == expected
    assert resources(spec, pending, of, jobs=jobs, memory=memory) == expected


def test_half_the_free_memory_is_taken_unless_told(machine: Any) -> None:
    """On GPUs half of each one's; what is told is for all together."""
    assert resources(SPEC, 96, EIGHT, jobs=2) == Resources(2, 50e9)
    assert resources(SPEC, 96, GPUS, jobs=2) == Resources(2, 100e9, gpu=True)
    assert resources(SPEC, 96, GPUS, jobs=2, memory=30e9) == Resources(2, 30e9, gpu=True)
    machine.free = 9.6e9
    assert resources(SPEC, 960, EIGHT) == Resources(3, 4.8e9)
    machine.free = 0.1e9
    assert resources(SPEC, 960, EIGHT) == Resources(1, 0.05e9)
    assert not Resources(1, 1.0).gpu
    assert Resources(1, 1.0).patience == math.inf


def test_a_process_has_addresses_for_a_framework_and_its_arrays(machine: Any) -> None:
    """3.5 GB at least, of which 1.2 GB are memory; what lies beyond is for arrays."""
    machine.addresses = 6e9
    assert resources(SPEC, 96, EIGHT, jobs=2, memory=64e9) == Resources(2, 2 * 3.7e9)
    assert resources(SPEC, 96, EIGHT, jobs=2, memory=5e9) == Resources(2, 5e9)
    machine.addresses = 3.5e9
    assert resources(SPEC, 96, EIGHT, jobs=1, memory=64e9) == Resources(1, 1.2e9)
    machine.addresses -= 1
    with pytest.raises(
        StudyError,
        match=r"^a process may address 3.5 GB here \(ulimit -v\), and a framework takes 3.5 GB ",
    ):
        resources(SPEC, 96, EIGHT, jobs=1, memory=64e9)


def test_memory_that_holds_no_process_is_refused(machine: Any) -> None:
    """It could only be exceeded. A GPU's memory holds no process."""
    with pytest.raises(
        StudyError, match=r"^memory 1GB is less than the 1.2GB that one process takes"
    ):
        resources(SPEC, 96, MACHINE, memory=1e9)
    with pytest.raises(StudyError, match="is less than"):
        resources(SPEC, 96, MACHINE, memory=1.2e9 - 1)
    assert resources(SPEC, 96, MACHINE, memory=1.2e9).memory == 1.2e9
    assert resources(SPEC, 96, GPUS, memory=1e9).memory == 1e9


def test_each_gpu_takes_one_worker_and_all_are_the_same(machine: Any) -> None:
    """Or seconds would not compare; one worker has one GPU, whatever the others are."""
    mixed = replace(EIGHT, gpus=("H200", "A100"))
    assert resources(SPEC, 96, GPUS, jobs=2).jobs == 2
    assert resources(SPEC, 96, mixed, jobs=1).jobs == 1
    assert resources(SPEC, 96, EIGHT, jobs=9, memory=64e9).jobs == 9
    with pytest.raises(StudyError, match=r"^workers 3: this machine has 2 GPUs, and each"):
        resources(SPEC, 96, GPUS, jobs=3)
    with pytest.raises(StudyError, match=r"^the GPUs differ \(H200, A100\)"):
        resources(SPEC, 96, mixed, jobs=2)


def test_arrays_have_the_sizes_of_their_device() -> None:
    """Large arrays alone keep a GPU busy."""
    assert Resources(1, 1.0).probes == (4, 16, 64)
    assert Resources(1, 1.0).sizes == LANE_SIZES
    assert Resources(1, 1.0, gpu=True).probes == (16, 96, 288)
    assert Resources(1, 1.0, gpu=True).sizes == FEW_SIZES
    for gpu in (False, True):
        use = Resources(1, 1.0, gpu=gpu)
        assert set(use.probes) <= set(use.sizes)
        with pytest.raises(FrozenInstanceError):
            use.jobs = 2  # type: ignore[misc]
    crew = Crew(Site(MACHINE, {}), Resources(1, 1.0))
    with pytest.raises(FrozenInstanceError):
        crew.use = Resources(2, 1.0)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2TB", 2e12),
        ("8GB", 8e9),
        ("512mb", 512e6),
        ("2.5", 2.5e9),
        (" 1 G", 1e9),
        ("0.5t", 5e11),
        ("3m", 3e6),
    ],
)
def test_memory_is_read(text: str, size: float) -> None:
    """With its unit, gigabytes if there is none."""
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "1e3", "nan"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    """With the value."""
    with pytest.raises(StudyError, match="8GB"):
        parse_memory(text)
