"""How many lanes an array has."""

from __future__ import annotations

from pathlib import Path

from study.execution.planning.array_sizes import (
    lanes_for,
    probes,
    unprobed,
)
from study.spec.presets import preset
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


def test_the_usual_size_follows_the_network(tmp_path: Path) -> None:
    """One model of the large network fills a processor by itself."""
    times = calibration(tmp_path / "c.json")
    (tutorial,) = preset("tutorial").with_(optimizers=("sgd",), rates=(0.1,)).trials()
    assert (lanes_for(ONE[0], times, ONE_JOB), lanes_for(tutorial, times, ONE_JOB)) == (16, 4)


def test_sizes_are_measured_where_there_is_a_choice(tmp_path: Path) -> None:
    """Not for a handful of trials, and once a network."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert probes(ONE[0], 96, times, ONE_JOB) == [4, 16, 64]
    assert probes(ONE[0], 48, times, TWO_JOBS) == [4, 16]
    assert unprobed(SPEC.trials()[:4], times, ONE_JOB) == {}
    assert unprobed(SPEC.trials(), times, ONE_JOB) == {SPEC.trials()[0]: [4, 16, 64]}
    assert unprobed(SPEC.trials(), probed(times, {4: 1e-3, 16: 1e-3}), ONE_JOB) == {}
    assert len(unprobed(SPEC.with_(widths=(1.0, 2.0)).trials(), times, ONE_JOB)) == 1
