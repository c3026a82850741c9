"""How long is left: an oracle trains the plan's arrays lane by lane, by made-up step times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from study.execution.planning.array_sizes import array_seconds
from study.execution.planning.estimates import OVERHEAD, expected_steps
from study.execution.planning.left import OUTLIVES, Left
from study.execution.planning.portions import Portion, portioned
from study.execution.planning.resources import Crew, Resources
from study.machine.facts import Site
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.training.loop import Progress
from support.execution.kinds import GPU
from support.execution.step_times import calibration, probed
from support.parabola import MACHINE, calibrated
from support.programs import settled, spec_of

SITE = Site(MACHINE, {"tensorflow": "2.21.0"})
GRID = StudySpec(rates="1e-3:1:8", optimizers=("sgd", "adam"), cap=30.0, check_every=50)


LANES = {lanes: 8e-3 / lanes for lanes in range(1, 17)}
"""A lane's step, in seconds: whatever the array holds, its step takes 8 ms."""


def portions(tmp_path: Path, spec: StudySpec = GRID, jobs: int = 1) -> list[Portion]:
    """The study for one kind of worker."""
    times = probed(calibrated(calibration(tmp_path / "c.json"), spec.trials()), LANES, jobs)
    return portioned(spec.trials(), [(Crew(SITE, Resources(jobs, 64e9)), times)])


def looks(
    trials: Sequence[Trial], ends: Sequence[float], pace: float = 1.0
) -> Iterator[tuple[Progress, list[Trial]]]:
    """The checks of an array whose lanes end at these steps, and those that end at each."""
    step, alive = 0, tuple(range(len(trials)))
    while alive:
        step += 50
        before, alive = alive, tuple(i for i in alive if ends[i] > step)
        yield (
            Progress(step, alive, len(trials), pace * 50 * 8e-3),
            [trials[i] for i in before if i not in alive],
        )


def test_at_first_it_is_what_the_plan_says(tmp_path: Path) -> None:
    """Without the start, which training leaves behind."""
    for jobs in (1, 2):
        (portion,) = todo = portions(tmp_path, GRID.with_(seeds=3), jobs)
        assert len(portion.plan.groups) > jobs
        assert Left(todo).seconds == pytest.approx(portion.plan.seconds - OVERHEAD["start"])
    assert Left(()).seconds == 0


@pytest.mark.parametrize("pace", [1.0, 0.5, 3.0])
def test_what_is_left_and_what_was_taken_make_the_whole(tmp_path: Path, pace: float) -> None:
    """Where every lane ends as was expected, up to a check of each array: also when one lane of
    sixteen is left, whose step takes as long as all sixteen's.
    """
    (portion,) = todo = portions(tmp_path, GRID.with_(seeds=2))
    left, taken = Left(todo), 0.0
    whole = pace * left.seconds
    for number, trials in enumerate(portion.plan.groups):
        ends = [expected_steps(trial, portion.times) for trial in trials]
        for progress, ended in looks(trials, ends, pace):
            left.step(number, progress, trials)
            taken += progress.seconds
            for trial in ended:
                left.ended(trial.id)
            one_check = pace * 50 * 8e-3
            assert left.seconds == pytest.approx(whole - taken, abs=2.01 * one_check)
    assert left.seconds == 0


def test_a_lane_that_outlives_its_expectation_goes_on_within_its_budget(tmp_path: Path) -> None:
    """For half of the steps that it has taken; its budget is 30,000 steps of 1 ms."""
    spec = GRID.with_(rates=(0.1,), optimizers=("sgd",))
    (portion,) = todo = portions(tmp_path, spec)
    (trial,) = trials = spec.trials()
    assert expected_steps(trial, portion.times) < 2000
    for step, more in ((2000, 1000), (10_000, 5000), (24_000, 6000), (30_000, 0)):
        left = Left(todo)
        left.step(0, Progress(step, (0,), 1, 50 * 8e-3), trials)
        wanted = array_seconds(trial, [more], portion.times, portion.crew.use)
        assert left.seconds == pytest.approx(wanted)
    assert OUTLIVES == 0.5


def test_an_array_may_train_in_halves(tmp_path: Path) -> None:
    """One after the other, where the whole did not fit: what remains of it stays till its end."""
    (portion,) = todo = portions(tmp_path, GRID.with_(optimizers=("adam",)))
    (trials,) = portion.plan.groups
    left, ends = Left(todo), [expected_steps(trial, portion.times) for trial in trials]
    for half in (slice(0, 4), slice(4, 8)):
        mine = trials[half]
        for progress, ended in looks(mine, ends[half]):
            left.step(0, progress, trials)
            for trial in ended:
                left.ended(trial.id)
            assert (left.seconds > 0) == (len(left.groups[0, 0]) > 0)
    assert left.seconds == 0


@pytest.mark.parametrize("mode", ["alone", "array"])
def test_a_group_whose_trials_fail_leaves_nothing(tmp_path: Path, mode: str) -> None:
    """No last check comes of it."""
    (portion,) = todo = portions(tmp_path, GRID.with_(mode=mode, cap=None, max_steps=2000))
    left = Left(todo)
    for number, trials in enumerate(portion.plan.groups):
        left.step(number, Progress(50, tuple(range(len(trials))), len(trials), 0.4), trials)
        for trial in trials:
            left.ended(trial.id)
    assert left.seconds == 0
    assert left.arrays == {}


def test_the_pace_stays_when_training_begins_again(tmp_path: Path) -> None:
    """As after a worker that hung."""
    (portion,) = todo = portions(tmp_path)
    first = Left(todo)
    whole, trials = first.seconds, portion.plan.groups[0]
    first.step(0, Progress(50, tuple(range(16)), 16, 3 * 50 * 8e-3), trials)
    assert Left(todo, first).seconds == pytest.approx(3 * whole)


def test_groups_of_which_nothing_is_told_leave_with_their_last_trial(tmp_path: Path) -> None:
    """A cluster tells an array's ends alone; a trial of an older plan is no part of it."""
    (portion,) = todo = portions(tmp_path, GRID.with_(seeds=2))
    left = Left(todo)
    first, second = portion.plan.groups
    for trial in first:
        before = left.seconds
        left.ended(trial.id)
        assert (left.seconds < before) == (trial == first[-1])
    left.ended("0123456789abcdef")
    rest = [expected_steps(trial, portion.times) for trial in second]
    assert left.seconds == pytest.approx(
        array_seconds(second[0], rest, portion.times, portion.crew.use)
    )


def test_kinds_of_workers_train_beside_each_other(tmp_path: Path) -> None:
    """What is left is that of the kind that takes longest."""
    spec = GRID.with_(seeds=4)
    sides = [
        (crew, calibrated(calibration(tmp_path / f"{i}.json"), spec.trials(), seconds))
        for i, (crew, seconds) in enumerate(
            ((Crew(SITE, Resources(2, 64e9)), 1e-3), (Crew(GPU, Resources(1, 64e9)), 2e-3))
        )
    ]
    todo = portioned(spec.trials(), sides)
    each = [Left([portion]).seconds for portion in todo]
    assert len(each) == 2
    assert min(each) > 0
    assert Left(todo).seconds == max(each)


@pytest.mark.parametrize(("step", "left"), [(None, math.inf), (2.0, 0.5 * 3 * 40 * 2.0)])
def test_programs_take_half_of_their_budget(
    tmp_path: Path, step: float | None, left: float
) -> None:
    """Or nobody knows how long, before the first has ended; their checks change nothing."""
    spec = settled(spec_of("true", rates=(0.1, 0.2, 0.3), cap=None, max_steps=40))
    times = calibration(tmp_path / "c.json")
    if step:
        calibrated(times, spec.trials(), step)
    todo = portioned(spec.trials(), [(Crew(SITE, Resources(1, 64e9)), times)])
    found = Left(todo)
    assert found.seconds == left
    found.step(0, Progress(4, (0,), 1, 9.0), todo[0].plan.groups[0])
    assert found.seconds == left
