"""What is expected before it is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from study import tables
from study.execution.planning.estimates import (
    array_readings,
    array_times,
    budget_steps,
    busiest,
    expected_steps,
    guess,
    measuring_seconds,
    step_seconds,
)
from study.spec.networks import network_of
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.readings.aim import Aim
from study.storage.reference import Clock, Reference
from study.storage.rounds import Rounds
from study.storage.step_times import array_key, key_of
from support.execution.step_times import ONE, ONE_JOB, TWO_JOBS, calibration
from support.parabola import MACHINE, calibrated
from support.paths import ROOT

SGD = ONE[0]
TUTORIAL = replace(SGD, network="tutorial")
WIDE = replace(TUTORIAL, width=4.0)


def work(trial: Trial) -> int:
    """Multiply-adds of one image."""
    return network_of(trial).multiply_adds


def alone(path: Path, seconds: Mapping[float, float]) -> Calibration:
    """Step times of SGD alone by width."""
    times = calibration(path)
    for width, value in seconds.items():
        calibrated(times, [replace(SGD, width=width)], value)
    return times


@pytest.mark.parametrize("trial", [SGD, TUTORIAL, replace(TUTORIAL, batch=7)])
def test_a_guess_is_overhead_and_three_passes_of_two_operations(
    trial: Trial, tmp_path: Path
) -> None:
    """At 150 billion operations a second; a step alone has 2 ms of overhead, a lane's 0.3 ms. It is
    what an unknown step takes.
    """
    arithmetic = 3 * 2 * work(trial) * trial.batch / 150e9
    assert guess(trial, lanes=1) == pytest.approx(0.002 + arithmetic, rel=1e-13)
    for lanes in (2, 16):
        assert guess(trial, lanes=lanes) == pytest.approx(0.0003 + arithmetic, rel=1e-13)
    assert step_seconds(trial, calibration(tmp_path / "c.json")) == guess(trial, lanes=1)


def test_a_measured_step_time_counts_and_one_width_stands_for_others(tmp_path: Path) -> None:
    """In proportion to the arithmetic."""
    times = alone(tmp_path / "c.json", {2.0: 0.004})
    assert step_seconds(replace(SGD, width=2.0), times) == 0.004
    three, two = replace(SGD, width=3.0), replace(SGD, width=2.0)
    assert step_seconds(three, times) == pytest.approx(0.004 * work(three) / work(two))
    assert step_seconds(replace(three, optimizer="adam"), times) == guess(three, lanes=1)


@pytest.mark.parametrize(
    ("width", "near"), [(3.0, (2.0, 4.0)), (1.2, (1.0, 2.0)), (12.0, (8.0, 4.0))]
)
def test_an_unmeasured_width_lies_on_the_line_through_the_two_nearest(
    width: float, near: tuple[float, float], tmp_path: Path
) -> None:
    """In arithmetic, by its logarithm; widths that are further off may be anything."""
    seconds = {1.0: 0.004, 2.0: 0.005, 4.0: 0.009, 8.0: 0.03}
    times = alone(tmp_path / "c.json", seconds)
    trial = replace(SGD, width=width)
    x = [work(replace(SGD, width=each)) for each in near]
    y = [seconds[each] for each in near]
    share = (work(trial) - x[0]) / (x[1] - x[0])
    assert step_seconds(trial, times) == pytest.approx((1 - share) * y[0] + share * y[1])


def test_no_step_is_expected_below_half_the_nearest(tmp_path: Path) -> None:
    """Where the line falls steeply."""
    times = alone(tmp_path / "c.json", {4.0: 0.001, 8.0: 0.1})
    assert step_seconds(SGD, times) == pytest.approx(0.0005)
    times = alone(tmp_path / "d.json", {4.0: 0.02, 8.0: 0.001})
    assert step_seconds(replace(SGD, width=20.0), times) == pytest.approx(0.0005)


def test_an_array_is_as_measured_or_as_at_the_nearest_width(tmp_path: Path) -> None:
    """In proportion to the step alone; of so many processes, and empty if there is no reading."""
    times = alone(tmp_path / "c.json", {1.0: 0.002, 2.0: 0.003, 5.0: 0.008, 8.0: 0.02})
    assert array_readings(SGD, times, ONE_JOB) == {}
    rounds = {1.0: Rounds([1.0, 2.0, 3.0, 4.0, 5.0], 5), 8.0: Rounds([30.0], 5)}
    for width, one in rounds.items():
        times.add([times.entry(array_key(replace(SGD, width=width), 16, 1), one)])
    assert array_readings(SGD, times, TWO_JOBS) == {}
    assert array_times(SGD, times, ONE_JOB) == {16: 3.0}
    (two,) = array_readings(replace(SGD, width=2.0), times, ONE_JOB).values()
    assert (two.seconds, two.low, two.high) == pytest.approx((4.5, 3.0, 6.0))
    five = replace(SGD, width=5.0)
    assert work(five) ** 2 > work(SGD) * work(replace(SGD, width=8.0))
    assert array_times(five, times, ONE_JOB) == {16: pytest.approx(30.0 * 0.008 / 0.02)}


def test_a_cap_counts_by_the_references_step_time(tmp_path: Path) -> None:
    """Where it has one; else by this machine's, measured or guessed."""
    times = alone(tmp_path / "c.json", {1.0: 0.002})
    assert budget_steps(replace(SGD, cap=1.0), times) == 500
    unknown = replace(SGD, width=2.0, cap=1.0)
    assert budget_steps(unknown, times) == 1 / step_seconds(unknown, times) // 50 * 50
    reference = Reference("elsewhere", "0123abcd", "tensorflow 1 float32")
    clock = Clock(reference, {}, {key_of(SGD): 0.004})
    slow = Calibration([tmp_path / "c.json"], MACHINE, "2.21.0", clock=clock)
    assert budget_steps(replace(SGD, cap=1.0), slow) == 250
    assert budget_steps(replace(SGD, cap=1.0, max_steps=149), slow) == 100


@pytest.mark.parametrize(
    ("optimizer", "rate", "steps", "highest"),
    [
        ("sgd", 0.05, 2200, 0.5),
        ("momentum", 0.025, 2200, 0.2),
        ("adam", 0.002, 1600, 0.03),
        ("adagrad", 0.1, 1800, 0.25),
        ("adadelta", 4.5, 2000, 100.0),
        ("rmsprop", 0.0025, 1600, 0.03),
    ],
)
def test_steps_fall_as_the_rate_rises_to_the_optimizers_highest(
    optimizer: str, rate: float, steps: int, highest: float, tmp_path: Path
) -> None:
    """Half the rate takes twice the steps; 1300 are the fewest, above the highest rate 600 pass
    until a trial is found stuck, and none takes more than its budget.
    """
    times = calibration(tmp_path / "c.json")

    def expected(rate: float, most: int = 10_000) -> float:
        trial = replace(SGD, optimizer=optimizer, learning_rate=rate, cap=None, max_steps=most)
        return expected_steps(trial, times)

    assert expected(rate) == pytest.approx(steps, rel=1e-12)
    assert expected(rate / 2) == pytest.approx(2 * steps, rel=1e-12)
    assert expected(rate / 100) == 10_000
    assert expected(highest) == 1300
    assert expected(highest * 1.001) == 600
    assert expected(highest, 1000) == 1000
    assert expected(highest * 1.001, 500) == 500


@pytest.mark.parametrize("target", [0.9, 0.92, 0.94, 0.95, 0.96, 0.97])
def test_a_lower_target_takes_the_share_of_the_steps_that_it_took(
    target: float, tmp_path: Path
) -> None:
    """Of the stored trials that came to 97 %; another data set has a target of its own."""
    folder = ROOT / "results/amd-epyc-25-17-avx512-2-cores/article"
    whole, part = (tables.stored(folder, None, aim).runs for aim in (None, Aim(target=target)))
    slow = (whole["outcome"] == "reached") & (whole["steps"] >= 500)
    taken = float((part["steps"] / whole["steps"])[slow].median())
    trial = replace(SGD, learning_rate=0.05, cap=None, max_steps=10_000)
    lower, times = replace(trial, target=target), calibration(tmp_path / "c.json")
    assert expected_steps(trial, times) == pytest.approx(2200)
    assert expected_steps(lower, times) / 2200 == pytest.approx(taken, abs=0.04)
    assert expected_steps(replace(lower, dataset="fashion-mnist"), times) == pytest.approx(2200)
    assert expected_steps(replace(trial, target=1.0), times) == 10_000


@pytest.mark.parametrize(
    ("seconds", "jobs", "last"),
    [([], 2, 0), ([3], 2, 3), ([3, 3, 2, 1], 2, 5), ([1, 2, 3], 1, 6), ([4, 1, 1, 1], 2, 4)],
)
def test_processes_take_the_next_group_as_they_are_free(
    seconds: list[float], jobs: int, last: float
) -> None:
    """The last is done when the busiest is."""
    assert busiest(seconds, jobs) == last


def test_measuring_takes_ten_rounds_of_a_quarter_second_or_four_steps() -> None:
    """Nine after the warm-up, and two seconds to begin."""
    assert measuring_seconds(SGD) == 2 + 10 * 0.25
    assert guess(WIDE, lanes=1) > 0.0625
    assert measuring_seconds(WIDE) == pytest.approx(2 + 10 * 4 * guess(WIDE, lanes=1))
