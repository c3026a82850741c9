"""Step times of a machine: which count, which are written where, what is told of them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from study.machine.quiet import Load
from study.storage.calibration import Calibration
from study.storage.reference import Clock, Reference
from study.storage.rounds import Rounds
from study.storage.step_times import StepTime, array_key, key_of, read, selected
from support.execution.step_times import BUSY, ONE, QUIET, SPEC, calibration, probed
from support.parabola import MACHINE, calibrated

OTHER = replace(MACHINE, cores=4)
WIDE = SPEC.with_(widths=(1.0, 2.0, 4.0), optimizers=("sgd",), rates=(0.1,)).trials()


def test_an_entry_holds_what_the_rounds_say(tmp_path: Path) -> None:
    """Quartiles as numpy has them; the load to three digits; the moment in whole seconds."""
    times = calibration(tmp_path / "c.json")
    seconds, load = [1.0, 2.0, 4.0, 8.0, 16.0], Load(2, 1.0, 0.01234, 0.04567)
    key = array_key(ONE[0], 8, 2)
    before = datetime.now(UTC).replace(microsecond=0)
    one = times.entry(key, Rounds(seconds, 50, [1.0, 3.0, 2.0], load))
    assert before <= datetime.fromisoformat(one.measured_at) <= datetime.now(UTC)
    assert "." not in one.measured_at
    assert (one.low, one.high) == tuple(np.quantile(seconds, [0.25, 0.75]))
    assert (one.seconds, one.processor_seconds, one.rounds, one.steps) == (4.0, 2.0, 5, 50)
    assert (one.others, one.pressure, one.quiet) == (0.012, 0.046, True)
    assert (one.fingerprint, one.machine, one.software) == (*times.kind[:1], MACHINE.name, "2.21.0")
    assert one.key == key
    assert (one.lanes, one.jobs, one.optimizer) == (8, 2, "mixed")
    bare = times.entry(key, Rounds(seconds, 50))
    late = [getattr(bare, name) for name in ("processor_seconds", "others", "pressure", "quiet")]
    assert late == [None] * 4
    unseen = times.entry(key, Rounds(seconds, 50, [1.0], replace(load, pressure=None)))
    assert (unseen.pressure, unseen.quiet) == (None, True)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [(1.0, 1.25, 0), (1.0, 1.2501, 1), (1.25, 1.0, 0), (1.2501, 1.0, 1), (1.0, 1.0, 0)],
)
def test_exactly_a_quarter_more_or_less_is_not_told(
    tmp_path: Path, before: float, now: float, told: int
) -> None:
    """A hair beyond it is."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE[:1], before)
    assert len(times.take(ONE[:1], [Rounds([now], 4)])) == told


def test_what_differs_is_told_with_both_readings(tmp_path: Path) -> None:
    """In milliseconds, with the day of the first, and what is known of the load."""
    times = calibration(tmp_path / "c.json")
    trial = ONE[0]
    day = replace(times.entry(key_of(trial), Rounds([0.002], 4)), measured_at="2026-01-02T03:04")
    times.add([day])
    (said,) = times.take([trial], [Rounds([0.0123456], 4, [0.0123456], BUSY)])
    assert said == (
        "a step of sgd on the compact network takes 12.3 ms now, on a busy machine, and took 2 ms "
        "on 2026-01-02: rows keep the step time that they were given"
    )
    probed(times, {1: 0.002, 2: 0.002})
    said, more = times.add(
        times.entry(array_key(trial, size, 1), Rounds([0.004], 5)) for size in (1, 2)
    )
    assert said.startswith("a step of mixed on the compact network takes 4 ms now, and took 2 ms")
    assert more.startswith("a step of mixed on the compact network in arrays of 2 takes 4 ms now")


def test_arrays_are_found_by_network_and_jobs(tmp_path: Path) -> None:
    """By the number of lanes; those of another width, batch or number of jobs are others."""
    times = calibration(tmp_path / "c.json")
    probed(probed(times, {4: 1e-3, 16: 2e-3}), {8: 3e-3}, jobs=2)
    for trial, size in ((WIDE[2], 4), (WIDE[1], 4), (replace(WIDE[2], batch=50), 32)):
        times.add([times.entry(array_key(trial, size, 1), Rounds([5e-3], 5))])
    calibrated(times, [WIDE[1], *ONE])
    found = [times.arrays(trial, jobs) for trial, jobs in ((ONE[0], 1), (ONE[0], 2), (WIDE[2], 1))]
    assert [{size: one.seconds for size, one in each.items()} for each in found] == [
        {4: 1e-3, 16: 2e-3},
        {8: 3e-3},
        {4: 5e-3},
    ]
    assert times.arrays(ONE[0], 3) == {}
    assert times.widths(ONE[0], 1) == [1.0, 2.0, 4.0]
    assert times.widths(ONE[0], 2) == [1.0]
    assert times.widths(replace(ONE[0], batch=50), 1) == [4.0]
    assert times.widths_alone(ONE[0]) == [1.0, 2.0]
    assert times.widths_alone(ONE[1]) == [1.0]
    assert times.widths_alone(replace(ONE[0], batch=50)) == []


def test_arrays_of_other_batches_and_all_jobs_are_forgotten_or_kept(tmp_path: Path) -> None:
    """A network is forgotten with every number of jobs and lanes; another batch is another one."""
    times = probed(calibration(tmp_path / "c.json"), {4: 1e-3})
    probed(times, {8: 3e-3}, jobs=2)
    other = replace(ONE[0], batch=50)
    times.add([times.entry(array_key(other, 4, 1), Rounds([5e-3], 5))])
    times.forget_arrays(ONE[:1])
    assert times.arrays(ONE[0], 1) == times.arrays(ONE[0], 2) == {}
    assert set(times.arrays(other, 1)) == {4}
    assert len(times.readings) == 1


def test_the_clock_of_a_reference_counts_before_ones_own(tmp_path: Path) -> None:
    """Its step times alone: what it lacks is missing, once for each step time."""
    theirs = calibration(tmp_path / "theirs.json")
    theirs.take(ONE[:1], [Rounds([0.005], 4, [0.004], BUSY)])
    clock = Clock(Reference("r", *theirs.kind), theirs.times)
    own = calibration(tmp_path / "own.json")
    own.take(ONE[:2], [Rounds([0.001], 4, [0.001], QUIET)] * 2)
    assert (own.counted(ONE[0]), own.counted_quiet(ONE[0])) == (0.001, True)
    assert own.missing(SPEC.trials()) == ONE[2:]
    own.clock = clock
    assert (own.counted(ONE[0]), own.counted_quiet(ONE[0])) == (0.004, False)
    assert (own.seconds(ONE[0]), own.quiet(ONE[0])) == (0.001, True)
    assert (own.counted(ONE[1]), own.counted_quiet(ONE[1])) == (None, None)
    assert (own.seconds(ONE[2]), own.quiet(ONE[2])) == (None, None)
    assert own.missing(SPEC.trials()) == ONE[1:]


def test_busy_readings_are_kept_out_of_a_file_that_no_study_owns(tmp_path: Path) -> None:
    """One that nobody looked at is shared."""
    path = tmp_path / "c.json"
    times = Calibration([path], MACHINE, "2.21.0", own=False)
    times.take(ONE[:3], [Rounds([1.0], 4, [1.0], load) for load in (BUSY, QUIET, None)])
    assert [one.quiet for one in read(path)] == [True, None]
    assert times.quiet(ONE[0]) is False
    Calibration([path], MACHINE, "2.21.0").take(ONE[:1], [Rounds([1.0], 4, [1.0], BUSY)])
    assert [one.quiet for one in read(path)] == [True, None, False]


def test_of_several_readings_the_last_counts_that_is_not_known_to_be_busy(tmp_path: Path) -> None:
    """Where all were busy, the last."""
    times = calibration(tmp_path / "c.json")
    busy, later, unknown, quiet = (
        times.entry(key_of(ONE[0]), Rounds([value], 4, [value], load))
        for value, load in ((1.0, BUSY), (2.0, BUSY), (3.0, None), (4.0, QUIET))
    )
    for readings, counts in (
        ([busy, later], later),
        ([unknown, busy], unknown),
        ([quiet, unknown, busy], unknown),
        ([unknown, later, quiet], quiet),
    ):
        assert selected(readings) == {key_of(ONE[0]): counts}
    assert selected([]) == {}


def test_step_times_from_elsewhere_fill_gaps(tmp_path: Path) -> None:
    """Those of this kind alone; they are kept in the study's own file, once."""
    own = tmp_path / "study" / "c.json"
    times = calibrated(calibration(own), ONE[:1], 0.001)
    found = calibrated(calibration(tmp_path / "e.json"), ONE[:2], 0.005).readings
    strange = calibrated(Calibration([tmp_path / "f.json"], OTHER, "2.21.0"), ONE[2:3]).readings
    times.adopt([*found, *strange])
    assert [times.seconds(trial) for trial in ONE[:3]] == [0.001, 0.005, None]
    assert len(read(own)) == 1
    times.clock = Clock(Reference("r", "f", "s"), {strange[0].key: strange[0]})
    times.keep()
    assert read(own) == [times.readings[0], strange[0], found[1]]
    stamp = own.stat().st_ino
    times.keep()
    assert own.stat().st_ino == stamp, "nothing new, nothing written"
    calibration(own).keep()
    assert own.stat().st_ino == stamp


def test_pinned_step_times_stay_in_memory(tmp_path: Path) -> None:
    """They count before what the file holds."""
    path = tmp_path / "c.json"
    times = calibrated(calibration(path), ONE[:1], 0.001)
    text = path.read_bytes()
    times.pin([(ONE[0], 0.004), (ONE[1], 0.005)])
    assert [times.seconds(trial) for trial in ONE[:2]] == [0.004, 0.005]
    assert [(one.rounds, one.steps) for one in times.readings[-2:]] == [(1, 1)] * 2
    assert path.read_bytes() == text


def test_a_file_is_one_list_that_people_can_read(tmp_path: Path) -> None:
    """An entry a reading, a line a field; a folder is made for it."""
    path = tmp_path / "a" / "b" / "c.json"
    times = calibrated(calibration(path), ONE[:2])
    text = path.read_text()
    rows = json.loads(text)
    assert text == json.dumps(rows, indent=1) + "\n"
    assert [StepTime.from_json(row) for row in rows] == times.readings
    assert [set(row) for row in rows] == [{field.name for field in fields(StepTime)}] * 2
    calibrated(calibration(path), ONE[2:3])
    assert len(read(path)) == 3
