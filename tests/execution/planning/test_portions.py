"""Portions of a study for workers of several kinds of machine."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from study.execution.planning.array_sizes import lanes_for
from study.execution.planning.plan import Plan
from study.execution.planning.portions import (
    Portion,
    jobs_of,
    labels,
    portioned,
    split,
    together,
    told,
)
from study.execution.planning.resources import Crew, Resources
from study.machine.facts import Site
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import key_of
from support.execution.kinds import GPU, HERE, PLAIN, THERE
from support.execution.step_times import SPEC as GRID
from support.execution.step_times import probed

pytestmark = pytest.mark.slow


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
    # The name of a machine is that of its processor; flags that no name has make another kind.
    other = replace(THERE, machine=replace(THERE.machine, vectors=("fma",)))
    assert other.machine.name == THERE.machine.name
    assert labels([THERE, other]) == [
        f"{site.machine.name} ({site.machine.fingerprint}, {site.software})"
        for site in (THERE, other)
    ]
    assert labels([HERE]) == [HERE.machine.name]
    crews = [Crew(GPU, Resources(2, 1.0)), Crew(THERE, Resources(1, 1.0))]
    assert told(crews) == f"2 workers on {GPU.machine.name} and 1 worker on {THERE.machine.name}"
    assert jobs_of(crews) == 3
    assert jobs_of([]) == 0


def slow_sets(seeds: int) -> list[Trial]:
    """Sets of 16 trials that all take 1000 steps."""
    spec = GRID.with_(optimizers=("sgd",), rates="1e-6:1e-5:16", cap=None, max_steps=1000)
    return spec.with_(seeds=seeds).trials()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_array_goes_to_the_kind_that_is_done_with_it_first(jobs: int, tmp_path: Path) -> None:
    """A kind that takes 16 seconds for each, and one that takes 32. Of two that would be done
    together the first named gets it.
    """
    given = sides(
        tmp_path / "c.json",
        (HERE, Resources(jobs, 64e9), 0.001 * jobs),
        (THERE, Resources(1, 64e9), 0.002),
    )
    fast, slow = split(slow_sets(6), given)
    assert {trial.seed for trial in fast} == {0, 1, 3, 4}
    assert {trial.seed for trial in slow} == {2, 5}
    assert len(fast) == 64


def test_a_set_is_cut_so_that_each_worker_gets_its_part(tmp_path: Path) -> None:
    """Of two kinds with a worker each, one of 16 trials in halves; one kind takes all as it is."""
    given = sides(
        tmp_path / "c.json",
        (HERE, Resources(1, 64e9), 0.001),
        (THERE, Resources(1, 64e9), 0.001),
    )
    trials = slow_sets(1)
    assert split(trials, given) == [trials[:8], trials[8:]]
    for crew, times in given:
        slow = replace(trials[-1], optimizer="adam")
        times.add([times.entry(key_of(slow), Rounds([100.0], 1))])
        assert lanes_for(slow, times, crew.use) == 1
    trials[-1] = slow  # the first trial of a set tells its lanes
    assert split(trials, given) == [trials[:8], trials[8:]]
    assert split(trials[:1], given) == [trials[:1], []]
    assert split([], given) == [[], []]
    mixed = [trial for pair in zip(*[iter(slow_sets(2))] * 16, strict=True) for trial in pair[::5]]
    assert split(mixed, given[:1]) == [mixed]
    (portion,) = portioned(mixed, given[:1])
    assert portion.plan.pending == tuple(mixed)
    with pytest.raises(FrozenInstanceError):
        portion.plan = portion.plan  # type: ignore[misc]


def test_each_kind_is_probed_for_all_trials_but_none_in_mode_alone(tmp_path: Path) -> None:
    """32 trials are two arrays of 16, of which each kind gets one."""
    times = Calibration([tmp_path / "c.json"], THERE.machine, THERE.software)
    crew = Crew(THERE, Resources(1, 64e9))
    trials = slow_sets(2)
    for portion in portioned(trials, [(crew, times)] * 2):
        assert len(portion.plan.pending) == 16
        assert portion.plan.unprobed == {trials[0]: [4, 16]}
    alone = [replace(trial, mode="alone") for trial in trials]
    (portion,) = portioned(alone, [(crew, times)])
    assert portion.plan.unprobed == {}


def test_kinds_train_beside_each_other(tmp_path: Path) -> None:
    """All is done when the slowest is; one step time is missing once."""
    a, b, c = slow_sets(1)[:3]
    d = replace(c, optimizer="adam")
    crew = Crew(THERE, Resources(1, 64e9))
    times = Calibration([tmp_path / "c.json"], THERE.machine, THERE.software)
    plans = (
        Plan((a, b), ((a,), (b,)), (a,), {a: [4]}, 3.0, 7.0),
        Plan((c, d), ((c, d),), (c, d), {c: [16]}, 2.0, 9.0),
    )
    whole = together([Portion(crew, times, one) for one in plans])
    assert whole == Plan((a, b, c, d), ((a,), (b,), (c, d)), (c, d), {a: [4], c: [16]}, 3.0, 9.0)
