"""The memory of this process: the machine's, its control groups', its addresses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from study.errors import StudyError
from study.execution.planning import resources as planning
from study.execution.planning.resources import PROCESS_BYTES, resources
from study.machine import memory
from support.execution.step_times import SPEC
from support.parabola import MACHINE

HUGE = "9223372036854771712"


@pytest.mark.parametrize(
    ("own", "files", "left"),
    [
        ("0::/job/step", {"job/step/memory.max": "max"}, math.inf),
        ("0::/job", {"job/memory.max": "4000", "job/memory.current": "1000"}, 3000),
        (
            "0::/job/step",
            {
                "job/step/memory.max": "max",
                "job/memory.max": "2000",
                "job/memory.current": "1500",
                "job/memory.stat": "anon 1\ninactive_file 700",
            },
            1200,
        ),
        ("0::/job", {"job/memory.max": "100", "job/memory.current": "500"}, 0),
        (
            "5:memory:/job\n3:cpu,cpuacct:/other",
            {
                "memory/job/memory.limit_in_bytes": "4000",
                "memory/job/memory.usage_in_bytes": "500",
                "memory/memory.limit_in_bytes": HUGE,
                "memory/memory.usage_in_bytes": "900",
                "cpu/other/memory.limit_in_bytes": "1",
            },
            3500,
        ),
        ("0::/job", {"job/memory.max": "no number"}, math.inf),
        ("", {}, math.inf),
    ],
)
def test_a_limit_of_control_groups_counts(
    tmp_path: Path, own: str, files: Mapping[str, str], left: float
) -> None:
    """Of a container or a batch job; what caches files is not taken."""
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert memory.left_of_groups(tmp_path / "own", tmp_path / "groups") == left


def test_memory_is_the_least_of_the_machines_and_the_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In bytes."""
    monkeypatch.setattr(memory, "gpus", lambda: ())
    monkeypatch.setattr(memory, "left_of_groups", lambda: 5e6)
    assert memory.free_memory() == 5e6
    monkeypatch.setattr(memory, "left_of_groups", lambda: math.inf)
    assert 5e6 < memory.free_memory() < math.inf


def test_too_few_addresses_are_told_before_a_framework_dies_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A little more bounds the arrays."""
    monkeypatch.setattr(planning, "addresses", lambda: 3e9)
    with pytest.raises(StudyError, match=r"may address 3 GB here \(ulimit -v\).*raise the limit"):
        resources(SPEC, 96, MACHINE, memory=8e9)
    monkeypatch.setattr(planning, "addresses", lambda: 4.5e9)
    assert resources(SPEC, 96, MACHINE, jobs=2, memory=64e9).memory == 2 * (1e9 + PROCESS_BYTES)
    monkeypatch.setattr(planning, "addresses", lambda: math.inf)
    assert resources(SPEC, 96, MACHINE, jobs=2, memory=64e9).memory == 64e9
