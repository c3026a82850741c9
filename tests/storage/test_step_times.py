"""Step times as they are kept: by machine, network and load."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from study.errors import StudyError
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import array_key, key_of, read
from support.execution.step_times import BUSY, ONE, QUIET, SPEC, calibration, probed
from support.parabola import MACHINE, calibrated


def test_times_are_reused_on_the_same_machine_and_missed_on_another(tmp_path: Path) -> None:
    """Another processor or another TensorFlow measures anew, and leaves the first one's times in
    the file.
    """
    path = tmp_path / "c.json"
    calibrated(calibration(path), ONE, 0.001)
    assert calibration(path).missing(SPEC.trials()) == []
    for other in (
        Calibration([path], replace(MACHINE, cores=8), "2.21.0"),
        calibration(path, tensorflow="3.0.0"),
    ):
        assert [trial.optimizer for trial in other.missing(SPEC.trials())] == list(SPEC.optimizers)
        calibrated(other, ONE, 0.005)
        assert calibration(path).seconds(ONE[0]) == 0.001
    assert len(json.loads(path.read_text())) == 18


@pytest.mark.parametrize(
    "change",
    [
        {"network": "tutorial"},
        {"batch": 50},
        {"hyper": "keras"},
        {"widths": (2.0,)},
        {"scale_dense": True},
    ],
)
def test_a_step_time_belongs_to_its_network_width_batch_and_rule(
    tmp_path: Path, change: dict[str, object]
) -> None:
    """It is never used for another."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert len(times.missing(SPEC.with_(**change).trials())) == 6


def test_the_studys_own_file_comes_before_its_siblings(tmp_path: Path) -> None:
    """A study keeps the seconds it began with."""
    own, shared = tmp_path / "study" / "c.json", tmp_path / "c.json"
    calibrated(calibration(own), ONE, 0.001)
    calibrated(calibration(shared), ONE, 0.009)
    assert Calibration([own, shared], MACHINE, "2.21.0").seconds(ONE[0]) == 0.001


def test_arrays_are_forgotten_by_network_and_steps_alone_are_not(tmp_path: Path) -> None:
    """Sizes can be measured anew; a reading of a step alone is never taken back."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    wide = SPEC.with_(widths=(2.0,), optimizers=("sgd",)).trials()
    probed(times, {16: 1e-3})
    times.forget_arrays(wide)
    assert set(times.arrays(ONE[0], 1)) == {16}
    times.forget_arrays(ONE[:1])
    assert times.arrays(ONE[0], 1) == {}
    assert times.missing(ONE) == []


def test_the_estimate_is_the_median_on_a_quiet_machine_and_the_least_bound_on_a_busy_one() -> None:
    """Other programs only add time: the lower quartile and the processor seconds bound the step
    from above.
    """
    seconds = [4.0, 5.0, 6.0, 7.0, 8.0]
    assert Rounds(seconds, 4, [1.0] * 5, QUIET).estimate == 6.0
    assert Rounds(seconds, 4, [1.0] * 5).estimate == 6.0, "as it always was where nobody looked"
    assert Rounds(seconds, 4, [3.0, 2.0, 9.0], BUSY).estimate == 3.0
    assert Rounds(seconds, 4, [9.0], BUSY).estimate == 5.0, "two processors at once"
    assert Rounds(seconds, 4, [], BUSY).estimate == 6.0, "a GPU computes"
    assert Rounds([1.0, 2.0, 3.0], 4, [1.6], BUSY).estimate == 1.5, "a quarter of the way"
    assert Rounds([1.0, 2.0], 4, [1.0], QUIET).estimate == 1.5


def test_what_runs_on_the_processor_says_little_of_a_gpus_step(tmp_path: Path) -> None:
    """So its readings are neither quiet nor busy."""
    times = calibration(tmp_path / "c.json")
    times.take(ONE[:1], [Rounds([0.002], 4, [], BUSY)])
    assert times.quiet(ONE[0]) is None
    assert times.times[key_of(ONE[0])].others == BUSY.others


def test_a_reading_of_a_busy_machine_is_marked_and_not_shared(tmp_path: Path) -> None:
    """The study that took it keeps it; a quiet reading takes its place, whenever it comes."""
    own, shared = tmp_path / "study" / "c.json", tmp_path / "c.json"
    times = Calibration([own, shared], MACHINE, "2.21.0")
    trial = ONE[0]
    times.take([trial], [Rounds([0.005], 4, [0.004], BUSY)])
    assert (times.seconds(trial), times.quiet(trial)) == (0.004, False)
    entry = times.times[key_of(trial)]
    assert (entry.processor_seconds, entry.others, entry.pressure) == (0.004, 1.6, 0.9)
    assert Calibration([own, shared], MACHINE, "2.21.0").quiet(trial) is False
    assert calibration(shared).missing([trial]) == [trial]
    said = times.take([trial], [Rounds([0.002], 4, [0.002], QUIET)])
    assert len(said) == 1
    assert "takes 2 ms now, on a quiet machine, and took 4 ms on" in said[0]
    assert calibration(shared).seconds(trial) == 0.002
    times.take([trial], [Rounds([0.009], 4, [0.009], BUSY)])
    again = Calibration([own, shared], MACHINE, "2.21.0")
    assert [round(1e3 * time.seconds) for time in again.readings] == [2, 4, 9]
    assert (again.seconds(trial), again.quiet(trial)) == (0.002, True)


@pytest.mark.parametrize(("factor", "sentences"), [(1.24, 0), (1.26, 1), (0.81, 0), (0.79, 1)])
def test_a_reading_that_differs_by_more_than_a_quarter_is_told(
    tmp_path: Path, factor: float, sentences: int
) -> None:
    """Of the same machine and software; the first of all has nothing to differ from."""
    times = calibration(tmp_path / "c.json")
    assert times.take(ONE[:1], [Rounds([0.002], 4)]) == []
    assert len(times.take(ONE[:1], [Rounds([0.002 * factor], 4)])) == sentences


def broken(**change: object) -> str:
    """A calibration whose one entry has a value that cannot be."""
    entry = {
        "network": "compact",
        "width": 1.0,
        "scale_dense": False,
        "optimizer": "sgd",
        "hyper": "published",
        "batch": 100,
        "lanes": 1,
    }
    entry |= {
        "seconds": 1e-3,
        "low": 1e-3,
        "high": 1e-3,
        "rounds": 9,
        "steps": 50,
        "fingerprint": "0",
        "tensorflow": "2",
        "jobs": 1,
    }
    return json.dumps([{**entry, "measured_at": "2026", **change}])


def test_the_entry_that_is_broken_below_is_whole(tmp_path: Path) -> None:
    """Or the test would prove nothing."""
    path = tmp_path / "c.json"
    path.write_text(broken())
    assert calibration(path).times == {}
    (one,) = read(path)
    assert one.software == "tensorflow 2 float32"
    assert one.from_json(json.loads(path.read_text())[0]) == one
    late = (one.processor_seconds, one.others, one.pressure, one.quiet, one.machine)
    assert late == (None,) * 5
    path.write_text(path.read_text().replace('"jobs": 1, ', ""))
    assert read(path) == [one]
    assert read(tmp_path / "none") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '[{"network": "compact"}]',
        broken(seconds=-1.0),
        broken(seconds="fast"),
        broken(low=0),
        broken(batch="100"),
        broken(lanes=-1),
        broken(high=0.0),
        broken(more=1),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    """One sentence that says what to do."""
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(StudyError, match="remove it"):
        calibration(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StudyError, match=r"is not a calibration .*Is a directory"):
        read(path)


@pytest.mark.parametrize("text", ["1", "[1]", "[null]", "{}", '{"bad": 1}'])
def test_a_file_without_entries_is_told_in_plain_words(tmp_path: Path, text: str) -> None:
    """And not in Python's."""
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"\(its entries are no step times\)"):
        read(path)


def test_a_key_is_what_a_step_time_depends_on() -> None:
    """One lane and one job alone; `mixed` in an array."""
    trial = replace(ONE[0], width=2.0, scale_dense=True, batch=50)
    assert key_of(trial) == ("compact", 2.0, True, "sgd", "published", 50, 1, 1)
    assert array_key(trial, 8, 3) == ("compact", 2.0, True, "mixed", "published", 50, 8, 3)
