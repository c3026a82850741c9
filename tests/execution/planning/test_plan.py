"""Plans: which trials train together, in which order, and what is expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from study.execution.planning.array_sizes import (
    array_seconds,
    lane_bytes,
    lane_seconds,
)
from study.execution.planning.estimates import OVERHEAD, budget_steps, expected_steps, guess
from study.execution.planning.plan import Plan, group, plan
from study.execution.planning.resources import Resources
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from support import driving
from support.execution.step_times import ONE, ONE_JOB, SPEC, TWO_JOBS, calibration, probed
from support.parabola import MACHINE, calibrated


def test_groups_share_all_but_optimizer_and_rate(tmp_path: Path) -> None:
    """And hold every pending trial once."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    spec = SPEC.with_(widths=(1, 2), seeds=2)
    groups = group(spec.trials(), times, ONE_JOB)
    assert [len(trials) for trials in groups] == [16] * 24
    assert sorted(trial.id for trials in groups for trial in trials) == sorted(
        trial.id for trial in spec.trials()
    )
    for trials in groups:
        assert len({(trial.width, trial.seed) for trial in trials}) == 1


@pytest.mark.parametrize(
    ("trials", "seeds", "jobs", "sizes"),
    [
        (20, 1, 1, [16, 4]),
        (20, 1, 2, [10, 10]),
        (20, 1, 3, [7, 7, 6]),
        (20, 2, 2, [16, 16, 4, 4]),
        (20, 2, 3, [10] * 4),
        (20, 2, 4, [10] * 4),
        (1, 1, 1, [1]),
        (1, 2, 8, [1, 1]),
    ],
)
def test_no_process_goes_without_a_group(
    trials: int, seeds: int, jobs: int, sizes: list[int], tmp_path: Path
) -> None:
    """Each set of trials that can train together is shared among its processes; the longest arrays
    come first, and neighbours stay together.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.002)
    rates = [1e-4 + i / 1e6 for i in range(trials)]
    spec = SPEC.with_(optimizers=("sgd",), rates=tuple(rates), seeds=seeds)
    pending = spec.trials()
    groups = group(pending, times, Resources(jobs, 64e9))
    assert [len(trials) for trials in groups] == sizes
    assert sorted(trial.id for one in groups for trial in one) == sorted(t.id for t in pending)
    for one in groups:
        first = rates.index(one[0].learning_rate)
        assert [trial.learning_rate for trial in one] == rates[first : first + len(one)]


@pytest.mark.parametrize(
    ("trials", "jobs", "sizes"),
    [(114, 2, [57, 57]), (130, 2, [65, 65]), (150, 2, [38, 38, 38, 36]), (20, 2, [10, 10])],
)
def test_arrays_in_registers_are_as_many_in_every_process(
    trials: int, jobs: int, sizes: list[int], tmp_path: Path
) -> None:
    """None trains a last small one while the others wait."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.002)
    rates = tuple(1e-4 + i / 1e6 for i in range(trials))
    pending = SPEC.with_(optimizers=("sgd",), rates=rates).trials()
    groups = group(pending, times, Resources(jobs, 64e9, arrays="native"))
    assert sorted(map(len, groups), reverse=True) == sizes


def test_little_memory_makes_small_groups(tmp_path: Path) -> None:
    """As small as its arrays."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.002)
    use = Resources(1, 1.2e9 + 8 * lane_bytes(ONE[0]))
    groups = group(SPEC.trials()[:20], times, use)
    assert sorted(len(trials) for trials in groups) == [4, 8, 8]


@pytest.mark.parametrize(
    ("trials", "patience", "sizes"),
    [
        (3, 750.0, [3]),
        (3, 749.0, [2, 1]),
        (4, 750.0, [2, 2]),
        (5, 500.0, [2, 2, 1]),
        (5, 1249.0, [3, 2]),
        (4, 1.0, [1] * 4),
    ],
)
def test_an_array_that_takes_longer_than_the_patience_is_halved(
    trials: int, patience: float, sizes: list[int], tmp_path: Path
) -> None:
    """Until none does, or they are single trials. Here a lane takes 250 seconds in any array: 1000
    steps of a quarter of a second.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.25)
    probed(times, {16: 0.25})
    spec = SPEC.with_(optimizers=("sgd",), rates=f"1e-5:1e-4:{trials}", cap=None, max_steps=1000)
    pending = [replace(trial, check_every=10) for trial in spec.trials()]
    groups = group(pending, times, Resources(1, 64e9, patience))
    assert [len(trials) for trials in groups] == sizes
    assert sorted(trial.id for one in groups for trial in one) == sorted(t.id for t in pending)


def test_an_arrays_first_trial_tells_its_lanes_and_its_seconds(tmp_path: Path) -> None:
    """However long the others' steps are: 2000 seconds of two lanes, on which no other size has
    an influence.
    """
    times = calibration(tmp_path / "c.json")
    for optimizer, seconds in (("sgd", 1.0), ("adam", 2.0)):
        calibrated(times, [replace(ONE[0], optimizer=optimizer)], seconds)
    probed(times, {4: 1.0})
    spec = SPEC.with_(optimizers=("sgd", "adam"), rates=(1e-5,), cap=None, max_steps=1000)
    pending = [replace(trial, check_every=10) for trial in spec.trials()]
    assert [len(trials) for trials in group(pending, times, Resources(1, 64e9, 2000.0))] == [2]
    assert plan(pending, (), times, ONE_JOB).most_seconds == OVERHEAD["start"] + 2000


def test_a_plan_of_nothing_takes_no_time(tmp_path: Path) -> None:
    """Nothing is to be measured either."""
    times = calibration(tmp_path / "c.json")
    for use in (ONE_JOB, TWO_JOBS):
        assert group([], times, use) == []
        assert plan([], (), times, use) == Plan((), (), (), {}, 0.0, 0.0)
    with pytest.raises(FrozenInstanceError):
        plan([], (), times, ONE_JOB).seconds = 1.0  # type: ignore[misc]


def test_a_run_takes_time_beside_training(tmp_path: Path) -> None:
    """35 seconds to start, 2 for each step time to measure, and 10 for each network's arrays; in
    mode alone nothing is measured.
    """
    times = calibration(tmp_path / "c.json")
    spec = SPEC.with_(optimizers=("sgd", "adam"), rates="1e-5:1e-4:8", cap=None, max_steps=1000)
    (compact, mlp), trials = (spec, spec.with_(network="mlp")), spec.trials()
    todo = plan([*compact.trials(), *mlp.trials()], (), times, ONE_JOB)
    assert len(todo.uncalibrated) == 4
    assert todo.unprobed == {one.trials()[0]: [4, 16] for one in (compact, mlp)}
    training = [16 * 1000 * guess(one.trials()[0], lanes=16) for one in (compact, mlp)]
    assert todo.most_seconds == pytest.approx(35 + 4 * 2 + 2 * 10 + sum(training))
    assert plan(trials[:1], (), times, ONE_JOB).uncalibrated == (trials[0],)
    alone = spec.with_(mode="alone").trials()
    for some in (alone, alone[:1]):
        todo = plan(some, (), times, ONE_JOB)
        assert (todo.uncalibrated, todo.unprobed) == ((), {})
        steps = 1000 * guess(some[0], lanes=1)
        assert todo.most_seconds == pytest.approx(35 + len(some) * steps)


def test_a_plan_expects_arrivals_and_early_ends(tmp_path: Path) -> None:
    """A trial's budget bounds it, and the last lane of an array trains alone."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.002)
    sgd = ONE[0]
    probed(times, {16: 0.0005}, jobs=2)
    array = array_seconds(sgd, [600] * 15 + [4000], times, TWO_JOBS)
    assert array == pytest.approx(
        600 * 16 * 0.0005 + 3400 * 0.002
    )  # the last lane trains alone, at the step time alone
    spec = SPEC.with_(optimizers=("sgd",))
    todo = plan(spec.trials(), set(), times, TWO_JOBS)
    overhead = OVERHEAD["start"]
    assert todo.seconds < todo.most_seconds
    assert todo.most_seconds == pytest.approx(
        overhead + 8 * budget_steps(sgd, times) * lane_seconds(sgd, times, TWO_JOBS, 8) * 2
    )
    assert plan(spec.trials(), {trial.id for trial in spec.trials()}, times, TWO_JOBS).seconds == 0


def test_alone_groups_are_single_trials_in_a_mixed_order(tmp_path: Path) -> None:
    """No optimizer gets a spell of the machine to itself."""
    trials = SPEC.with_(mode="alone").trials()
    groups = group(trials, calibration(tmp_path / "c.json"), ONE_JOB)
    assert all(len(one) == 1 for one in groups)
    assert sorted(one[0].id for one in groups) == sorted(trial.id for trial in trials)
    assert len({one[0].optimizer for one in groups[:16]}) > 2


def test_a_plan_leaves_out_what_is_stored_and_bounds_the_rest(tmp_path: Path) -> None:
    """Every pending trial at its cap, at the step time of a lane in an array where one is known."""
    spec = StudySpec(optimizers=("sgd",), rates=(0.1, 0.2, 0.3), cap=1.0)
    trials = spec.trials()
    times = calibration(tmp_path / "c.json")
    blind = plan(spec.trials(), set(), times, ONE_JOB)
    assert 0.1 < blind.most_seconds - OVERHEAD["start"] - OVERHEAD["calibrate"] < 3  # a guess
    assert len(blind.uncalibrated) == 1
    calibrated(times, trials, 0.002)
    todo = plan(spec.trials(), {trials[0].id}, times, ONE_JOB)
    assert todo.pending == tuple(trials[1:])
    probed(times, {16: 0.0005})
    probed(times, {16: 0.0006}, jobs=2)
    start = OVERHEAD["start"]
    probed(times, {1: 0.002, 2: 0.0015, 4: 0.001})
    assert plan(spec.trials(), set(), times, ONE_JOB).most_seconds == pytest.approx(
        start + 3 * 500 * lane_seconds(trials[0], times, ONE_JOB, 3)
    )
    assert plan(spec.trials(), set(), times, TWO_JOBS).most_seconds == pytest.approx(
        start + 2 * 500 * lane_seconds(trials[0], times, TWO_JOBS, 2) * 2
    )
    assert plan(
        spec.with_(mode="alone").trials(), set(), times, ONE_JOB
    ).most_seconds == pytest.approx(start + 3 * 1.0)
    slow = spec.with_(mode="alone", cap=None, max_steps=100)
    assert plan(slow.trials(), set(), times, ONE_JOB).most_seconds == pytest.approx(
        start + 3 * 100 * 0.002
    )


def test_arrays_of_a_cluster_come_back_in_time(tmp_path: Path) -> None:
    """They are halved until they are expected to, or are single trials; none is lost."""
    times = calibrated(
        Calibration([tmp_path / "c.json"], MACHINE, "2"), driving.SPEC.trials(), 0.01
    )
    trials = driving.SPEC.trials()
    use = Resources(2, 8e9)

    def seconds(trials: Sequence[Trial]) -> float:
        return array_seconds(
            trials[0], [expected_steps(trial, times) for trial in trials], times, use
        )

    longest = max(map(seconds, group(trials, times, use)))
    for patience in (longest / 3, longest / 1e6):
        groups = group(trials, times, replace(use, patience=patience))
        assert sorted(trial.id for trials in groups for trial in trials) == sorted(
            trial.id for trial in trials
        )
        assert all(len(trials) == 1 or seconds(trials) <= patience for trials in groups)
    assert len(groups) == len(trials)
