"""Portions of a study for workers of several kinds of machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from study.execution.planning.portions import labels, portioned, told
from study.execution.planning.resources import Crew, Resources
from study.machine.facts import Site
from study.spec.study import StudySpec
from study.storage.calibration import Calibration
from support.execution.kinds import GPU, HERE, PLAIN, THERE
from support.execution.step_times import SPEC as GRID
from support.execution.step_times import probed


def sides(path: Path, *given: tuple[Site, Resources, float]) -> list[tuple[Crew, Calibration]]:
    """Kinds with made-up seconds of a lane's step in arrays of 16."""
    return [
        (
            Crew(site, use),
            probed(Calibration([path], site.machine, site.software), {16: seconds}, use.jobs),
        )
        for site, use, seconds in given
    ]


def test_a_kinds_share_follows_its_speed(tmp_path: Path) -> None:
    """Workers x speed; every trial has one place, in arrays that fit its kind."""
    spec = GRID.with_(seeds=20)
    given = sides(
        tmp_path / "c.json",
        (HERE, Resources(2, 64e9), 0.001),
        (THERE, Resources(1, 64e9), 0.004),
    )
    portions = portioned(spec.trials(), given)
    ids = [trial.id for portion in portions for trial in portion.plan.pending]
    assert sorted(ids) == sorted(trial.id for trial in spec.trials())
    assert len(portions[0].plan.pending) / len(ids) == pytest.approx(8 / 9, abs=0.1)
    ends = [portion.plan.seconds for portion in portions]
    assert max(ends) / min(ends) < 1.2


def test_a_kind_with_little_memory_gets_smaller_arrays(tmp_path: Path) -> None:
    """Each kind is planned with its own limits, and probed as if it were to train all."""
    given = [
        (Crew(site, use), Calibration([tmp_path / "c.json"], site.machine, site.software))
        for site, use in (
            (HERE, Resources(1, 64e9)),
            (THERE, Resources(1, 1.25e9)),
            (GPU, Resources(1, 64e9, gpu=True)),
        )
    ]
    large, small, gpu = portioned(StudySpec(rates="1e-4:100:64", cap=8.0).trials(), given)
    assert max(map(len, large.plan.groups)) > max(map(len, small.plan.groups))
    assert list(gpu.plan.unprobed.values()) == [[16, 96, 288]]


def test_kinds_are_told_apart_by_what_differs() -> None:
    """Names, and software where machines portion a name."""
    assert labels([HERE, THERE]) == [HERE.machine.name, THERE.machine.name]
    assert labels([HERE, PLAIN]) == [
        f"{site.machine.name} ({site.software})" for site in (HERE, PLAIN)
    ]
    other = replace(THERE, machine=replace(THERE.machine, model="1.2"))
    assert len(set(labels([THERE, other]))) == 2
    assert told([Crew(GPU, Resources(2, 1.0))]) == f"2 workers on {GPU.machine.name}"
