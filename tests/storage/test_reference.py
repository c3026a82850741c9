"""The machine whose step times count: where it is named, and what it knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from study.errors import StudyError
from study.storage.calibration import Calibration
from study.storage.reference import Clock, Reference, reference_in
from study.storage.rounds import Rounds
from study.storage.step_times import key_of
from support.execution.step_times import BUSY, ONE, calibration, probed
from support.parabola import MACHINE, calibrated
from support.records import RUN, TRIALS

OTHER = replace(MACHINE, cores=4)
HERE = Reference(MACHINE.name, MACHINE.fingerprint, "2.21.0")


def test_a_reference_is_told_in_words_and_in_json() -> None:
    """And read again; another object is refused."""
    one = Reference("m", "f", "s")
    assert str(one) == "m (f, s)"
    assert one.kind == ("f", "s")
    assert one.from_json(one.to_json()) == one, "by the class, or by any reference"
    with pytest.raises(StudyError, match="the field 'x' is not known"):
        Reference.from_json({**one.to_json(), "x": 1})


def test_the_first_row_whose_seconds_were_reconstructed_names_the_reference() -> None:
    """Its own machine, or the one that it names; a measured row has no say."""
    measured = replace(RUN, seconds_source="measured", fingerprint="e")
    named = replace(RUN, reference="r", reference_machine="reference", reference_software="theirs")
    assert Reference.of_runs([]) is None
    assert Reference.of_runs([measured]) is None
    assert Reference.of_runs([measured, RUN, named]) == Reference(
        "test-machine", "0123abcd", RUN.software
    )
    assert HERE.of_runs([named, RUN]) == Reference("reference", "r", "theirs")


def test_a_clock_knows_its_own_files_before_its_rows(tmp_path: Path) -> None:
    """Not those of another machine, nor rows on another clock or without a step time; the study's
    own file counts first.
    """
    own, shared = tmp_path / "own.json", tmp_path / "shared.json"
    calibrated(calibration(own), ONE[:1], 0.002)
    calibrated(calibration(shared), ONE[:2], 0.003)
    calibrated(Calibration([own], OTHER, "2.21.0"), ONE[:4], 0.009)
    calibrated(calibration(own, tensorflow="other"), ONE[:4], 0.009)
    mine = replace(RUN, fingerprint="x", reference=HERE.fingerprint)
    rows = [
        replace(mine, trial=ONE[1], step_seconds=0.007),
        replace(mine, trial=ONE[2], step_seconds=0.004),
        replace(RUN, trial=ONE[3], step_seconds=0.005),
        replace(mine, trial=ONE[4], step_seconds=None),
    ]
    clock = Clock.read(HERE, [own, shared], rows)
    assert [clock.seconds(trial) for trial in ONE[:5]] == [0.002, 0.003, 0.004, None, None]
    assert clock.read(HERE, [own]).seconds(ONE[2]) is None


def test_a_clock_tells_whether_its_machine_was_quiet(tmp_path: Path) -> None:
    """None where the step was not timed."""
    times = calibration(tmp_path / "c.json")
    times.take(ONE[:1], [Rounds([0.005], 4, [0.004], BUSY)])
    clock = Clock.read(HERE, [tmp_path / "c.json"])
    assert clock.quiet(ONE[0]) is False
    assert clock.quiet(ONE[1]) is None
    assert Clock(HERE, {}, {key_of(TRIALS[0]): 1.0}).quiet(TRIALS[0]) is None


def test_a_folders_step_times_name_a_reference_if_they_are_of_one_machine(tmp_path: Path) -> None:
    """Those of steps alone; arrays of another machine have no say."""
    with pytest.raises(StudyError, match="holds no step times"):
        reference_in(tmp_path)
    path = tmp_path / "calibration.json"
    probed(Calibration([path], OTHER, "2.21.0"), {16: 1e-3})
    with pytest.raises(StudyError, match="holds no step times"):
        reference_in(tmp_path)
    calibrated(calibration(path), ONE)
    assert reference_in(tmp_path) == HERE
    calibrated(Calibration([path], OTHER, "2.21.0"), ONE)
    with pytest.raises(StudyError, match="the step times of several machines") as told:
        reference_in(tmp_path)
    assert f"{OTHER.name} ({OTHER.fingerprint}, 2.21.0)" in str(told.value)


def test_a_machine_without_a_name_is_another_machine(tmp_path: Path) -> None:
    """As in older files."""
    path = tmp_path / "calibration.json"
    calibrated(calibration(path), ONE)
    path.write_text(path.read_text().replace(f'"machine": "{MACHINE.name}"', '"machine": null'))
    assert reference_in(tmp_path).machine == "another machine"
