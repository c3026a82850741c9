"""Plans: which trials train together, in which order, and what is expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from study.engines.learner import LANE_SIZES
from study.execution.planning.array_sizes import (
    array_seconds,
    lane_bytes,
    lane_seconds,
    lanes_for,
    most_lanes,
)
from study.execution.planning.estimates import OVERHEAD, budget_steps, busiest, expected_steps
from study.execution.planning.plan import group, plan
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


def test_slow_steps_memory_and_workers_make_smaller_groups(tmp_path: Path) -> None:
    """A check must come within the interval, the arrays of all processes within the memory, and no
    process goes without a group.
    """
    times = calibration(tmp_path / "c.json")
    assert most_lanes(ONE[0], calibrated(times, ONE, 0.001), ONE_JOB) == max(LANE_SIZES)
    assert most_lanes(ONE[0], calibrated(times, ONE, 0.05), ONE_JOB) == 8
    assert most_lanes(ONE[0], calibrated(times, ONE, 100.0), ONE_JOB) == 1
    calibrated(times, ONE, 0.002)
    room = 1.2e9 + 10 * lane_bytes(ONE[0])
    assert most_lanes(ONE[0], times, Resources(1, room)) == 8
    assert most_lanes(ONE[0], times, Resources(2, 2 * room + 1.2e9)) == 8
    assert lanes_for(ONE[0], times, Resources(1, room)) == 8
    assert most_lanes(ONE[0], times, Resources(1, 1.0)) == 1
    assert [len(trials) for trials in group(SPEC.trials()[:20], times, TWO_JOBS)] == [10, 10]


def test_a_plan_expects_arrivals_and_early_ends(tmp_path: Path) -> None:
    """Steps fall as 1 / rate to an optimizer's highest rate; beyond it trials are found stuck;
    nothing takes more than its budget.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.002)
    sgd = ONE[0]
    expected = [
        expected_steps(replace(sgd, learning_rate=rate), times) for rate in (1e-5, 0.05, 0.4, 10.0)
    ]
    assert expected == [4000, 2200, 1300, 600]
    assert expected_steps(replace(sgd, learning_rate=10.0, cap=1.0), times) == 500
    assert busiest([3, 3, 2, 1], 2) == 5
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
