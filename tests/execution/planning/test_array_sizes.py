"""How many lanes an array has, and what a lane's step then costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from study.execution.planning import array_sizes
from study.execution.planning.array_sizes import (
    array_seconds,
    lane_bytes,
    lane_seconds,
    lanes_for,
    most_lanes,
    probes,
    unprobed,
    usual_lanes,
)
from study.execution.planning.estimates import guess
from study.execution.planning.resources import Resources
from study.spec.presets import preset
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import array_key
from support.execution.step_times import (
    BUSY,
    ONE,
    ONE_JOB,
    QUIET,
    SPEC,
    TWO_JOBS,
    calibration,
    probed,
)
from support.parabola import MACHINE, calibrated

SGD = ONE[0]
BYTES = lane_bytes(SGD)


def test_the_measured_array_that_trains_fastest_is_taken(tmp_path: Path) -> None:
    """The smallest of those that are near the fastest; another number of processes is another
    measurement.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert lanes_for(ONE[0], times, ONE_JOB) == 16
    probed(times, {4: 1.3e-3, 16: 1.0e-3, 64: 0.7e-3})
    assert lanes_for(ONE[0], times, ONE_JOB) == 64
    assert lanes_for(ONE[0], times, TWO_JOBS) == 16
    assert lanes_for(ONE[0], probed(times, {64: 0.95e-3}), ONE_JOB) == 16
    assert lanes_for(ONE[0], probed(times, {4: 0.95e-3}), ONE_JOB) == 16
    assert lanes_for(ONE[0], probed(times, {4: 0.8e-3}), ONE_JOB) == 4
    stored = calibration(tmp_path / "c.json").arrays(ONE[0], 1)
    assert {size: time.seconds for size, time in stored.items()} == {
        4: 0.8e-3,
        16: 1.0e-3,
        64: 0.95e-3,
    }


@pytest.mark.parametrize(
    ("rounds", "lanes"),
    [
        ({4: [1.0], 16: [1.1]}, 16),
        ({4: [1.0], 16: [1.2]}, 4),
        ({4: [1.1], 64: [1.0]}, 4),
        ({4: [1.2], 64: [1.0]}, 64),
        ({4: [1.1], 16: [1.5], 64: [1.0]}, 4),
        ({4: [1.0, 1.0, 1.0, 2.0, 2.0], 16: [2.0, 2.0, 2.0]}, 16),
        ({4: [1.0, 1.0, 1.0, 2.0, 2.0], 16: [2.1, 2.1, 2.1]}, 4),
        ({4: [1.0], 16: [1.2], 96: [0.1]}, 4),
    ],
)
def test_another_size_is_taken_where_it_is_faster_by_more_than_a_tenth_and_by_noise(
    rounds: dict[int, list[float]], lanes: int, tmp_path: Path
) -> None:
    """Quartiles that touch decide nothing. Without a reading of the usual size the smallest within
    a tenth of the fastest is taken. What does not fit into memory is not looked at.
    """
    times = calibration(tmp_path / "c.json")
    for size, seconds in rounds.items():
        times.add([times.entry(array_key(SGD, size, 1), Rounds(seconds, 5))])
    assert lanes_for(SGD, times, Resources(1, 1.2e9 + 64 * BYTES)) == lanes


def test_a_probe_changes_the_usual_size_by_more_than_its_noise_alone(tmp_path: Path) -> None:
    """Rounds that overlap decide nothing, and neither does a machine that was busy."""
    usual, faster = [1.0e-3, 1.1e-3, 1.2e-3], [0.7e-3, 0.8e-3, 1.4e-3]
    for noisy, load, size in (
        (faster, QUIET, 16),
        ([0.7e-3, 0.8e-3, 0.9e-3], QUIET, 64),
        ([0.7e-3, 0.8e-3, 0.9e-3], BUSY, 16),
    ):
        times = calibrated(
            Calibration([tmp_path / f"{size}{load.quiet}{noisy[-1]}.json"], MACHINE, "2.21.0"), ONE
        )
        rounds = {16: Rounds(usual, 5, usual, load), 64: Rounds(noisy, 5, noisy, load)}
        times.add(times.entry(array_key(ONE[0], lanes, 1), one) for lanes, one in rounds.items())
        assert lanes_for(ONE[0], times, ONE_JOB) == size


@pytest.mark.parametrize(("work", "lanes"), [(1, 16), (10_000_000, 16), (10_000_001, 4)])
def test_the_usual_size_follows_the_networks_arithmetic(
    work: int, lanes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model of the large network fills a processor by itself."""
    (tutorial,) = preset("tutorial").with_(optimizers=("sgd",), rates=(0.1,)).trials()
    times = calibration(tmp_path / "c.json")
    assert lanes_for(tutorial, times, ONE_JOB) == usual_lanes(tutorial) == 4
    network = SimpleNamespace(multiply_adds=work)
    monkeypatch.setattr(array_sizes, "size_of", lambda trial: network)
    assert usual_lanes(SGD) == lanes


def test_a_lane_holds_activations_and_weights_with_what_belongs_to_them() -> None:
    """By hand. compact: 100 images of 3 x 784 x 2 + 6 x 196 x 4 + 3 x 15 numbers of 4 bytes, and
    3371 weights 8 times; mlp: 100 of 3 x 784, and 784 x 785 + 785 x 10 weights.
    """
    assert BYTES == 2 * 4 * (100 * 9453 + 8 * 3371)
    mlp = replace(SGD, network="mlp")
    assert lane_bytes(mlp) == 2 * 4 * (100 * 2352 + 8 * (784 * 785 + 785 * 10))
    assert lane_bytes(replace(mlp, batch=50)) == 2 * 4 * (50 * 2352 + 8 * (784 * 785 + 785 * 10))


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("lanes", [1, 4, 8, 288])
def test_as_many_lanes_as_memory_holds(jobs: int, lanes: int, tmp_path: Path) -> None:
    """To the byte: 1.2 GB for each process, and for the one that leads several."""
    times = calibration(tmp_path / "c.json")
    room = 1.2e9 * (jobs > 1) + jobs * (1.2e9 + lanes * BYTES)
    fewer = {1: 1, 4: 2, 8: 4, 288: 192}
    assert most_lanes(SGD, times, Resources(jobs, room)) == lanes
    assert most_lanes(SGD, times, Resources(jobs, room - jobs)) == fewer[lanes]
    assert most_lanes(SGD, times, Resources(jobs, 1.0)) == 1


@pytest.mark.parametrize(
    ("step", "lanes"), [(0.001, 288), (0.05, 8), (0.0515, 4), (0.1, 4), (0.4, 1), (100.0, 1)]
)
def test_a_check_takes_twenty_seconds_at_most(step: float, lanes: int, tmp_path: Path) -> None:
    """Of 50 steps of all lanes, as long as one alone takes."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE, step)
    assert most_lanes(SGD, times, ONE_JOB) == lanes


def test_sizes_are_measured_where_there_is_a_choice(tmp_path: Path) -> None:
    """Not for a handful of trials, and once a network."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    trials = SPEC.trials()
    assert probes(SGD, 96, times, ONE_JOB) == [4, 16, 64]
    assert probes(SGD, 48, times, TWO_JOBS) == [4, 16]
    assert probes(SGD, 16, times, ONE_JOB) == [4, 16]
    assert probes(SGD, 15, times, ONE_JOB) == [4]
    assert probes(SGD, 1, times, ONE_JOB) == []
    assert unprobed([], times, ONE_JOB) == {}
    assert unprobed(trials[:1], times, ONE_JOB) == {}
    assert unprobed(trials[:4], times, ONE_JOB) == {}
    assert unprobed(trials[:16], times, ONE_JOB) == {trials[0]: [4, 16]}
    assert unprobed(trials[:31], times, TWO_JOBS) == {trials[0]: [4, 16]}
    assert unprobed(trials[:30], times, TWO_JOBS) == {}
    assert unprobed(trials, times, ONE_JOB) == {trials[0]: [4, 16, 64]}
    assert unprobed(trials, probed(times, {4: 1e-3, 16: 1e-3}), ONE_JOB) == {}
    assert len(unprobed(SPEC.with_(widths=(1.0, 2.0)).trials(), times, ONE_JOB)) == 1


def test_a_sets_first_trial_tells_which_sizes_are_measured(tmp_path: Path) -> None:
    """However long another's steps are."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.001)
    calibrated(times, [replace(SGD, optimizer="rmsprop")], 100.0)
    trials = SPEC.with_(optimizers=("sgd", "rmsprop")).trials()
    assert unprobed(trials, times, ONE_JOB) == {trials[0]: [4, 16]}
    assert unprobed(trials[::-1], times, ONE_JOB) == {}


def sets(
    widths: Sequence[float], network: str = "compact", rates: str = "1e-4:1:64"
) -> list[Trial]:
    """One set of 64 trials of each width."""
    spec = SPEC.with_(optimizers=("sgd",), rates=rates, widths=widths, network=network)
    return spec.trials()


@pytest.mark.parametrize(
    ("widths", "measured"),
    [
        ((2.0,), [2.0]),
        ((3.0, 1.0), [1.0, 3.0]),
        ((5.0, 2.0, 1.0, 3.0, 4.0), [1.0, 3.0, 5.0]),
        ((1.0, 2.0, 3.0, 4.0), [1.0, 3.0, 4.0]),
    ],
)
def test_the_smallest_a_middle_and_the_largest_width_stand_for_all(
    widths: tuple[float, ...], measured: list[float], tmp_path: Path
) -> None:
    """The smallest first."""
    times = calibration(tmp_path / "c.json")
    chosen = unprobed(sets(widths), times, ONE_JOB)
    assert [trial.width for trial in chosen] == measured
    assert {trial.learning_rate for trial in chosen} == {1e-4}


def test_three_measured_widths_of_a_network_are_enough(tmp_path: Path) -> None:
    """But not two; another network is measured all the same. Of two seeds' sets the larger
    counts.
    """
    times = calibration(tmp_path / "c.json")
    trials = sets((1.0, 2.0, 4.0, 8.0)) + sets((1.0,), "mlp")
    for width, left in ((3.0, [1.0, 4.0, 8.0]), (5.0, [1.0, 4.0, 8.0]), (7.0, [])):
        times.add([times.entry(array_key(replace(SGD, width=width), 16, 1), Rounds([1e-3], 5))])
        chosen = unprobed(trials, times, ONE_JOB)
        assert [trial.width for trial in chosen] == [*left, 1.0]
        assert list(chosen)[-1].network == "mlp"
    trials = sets((1.0,), "mlp")
    other = [replace(trial, seed=1) for trial in trials]
    assert list(unprobed(trials[:20] + other, times, ONE_JOB).values()) == [[4, 16, 64]]
    assert list(unprobed(other + trials[:20], times, ONE_JOB)) == [other[0]]


def test_a_lane_costs_what_was_measured_and_between_sizes_by_their_logarithm(
    tmp_path: Path,
) -> None:
    """In a full array of the usual size, if no number is named; shared among the processes."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.004)
    for lanes, expected in ((None, guess(SGD, 2)), (2, guess(SGD, 2)), (1, 0.004)):
        for use in (ONE_JOB, TWO_JOBS):
            assert lane_seconds(SGD, times, use, lanes) == pytest.approx(expected / use.jobs)
    probed(times, {4: 0.002, 16: 0.001})
    probed(times, {4: 0.006}, jobs=2)
    alone = replace(SGD, mode="alone")
    for lanes, expected in ((1, 0.004), (2, 0.003), (4, 0.002), (8, 0.0015), (None, 0.001)):
        assert lane_seconds(SGD, times, ONE_JOB, lanes) == pytest.approx(expected)
        assert lane_seconds(alone, times, TWO_JOBS, lanes) == 0.004
    for lanes in (1, 2, 4, 288, None):
        assert lane_seconds(SGD, times, TWO_JOBS, lanes) == pytest.approx(0.003)
    probed(times, {1: 0.0035})
    assert lane_seconds(SGD, times, ONE_JOB, 1) == pytest.approx(0.0035)


@pytest.mark.parametrize(
    ("ends", "steps"),
    [([], 0), ([100.0], 100), ([0.0, 0.0], 0), ([300.0, 100.0, 100.0], 500), ([50.0] * 4, 200)],
)
def test_an_array_is_paid_for_the_lanes_that_are_left(
    ends: list[float], steps: int, tmp_path: Path
) -> None:
    """Where a lane's step costs the same in any array, that is the sum of their steps; on two
    processes each array takes as long.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.25)
    for use in (ONE_JOB, TWO_JOBS):
        probed(times, {4: 0.25}, use.jobs)
        assert array_seconds(SGD, ends, times, use) == steps * 0.25
