"""Rows of several machines in one table: whose step times their seconds are of."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from study import figures, tables
from study.errors import StudyError
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.across import Across, add_check
from study.storage.reference import Reference
from study.storage.step_times import StepTime, key_of
from study.storage.store import Store
from study.tables.clocks import budgets, counted_by
from support.made import STEP_SECONDS, made_runs
from support.records import RUN

SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.001, 0.01, 0.1), seeds=3, cap=20.0)
HOME = Reference("home", "aaaa", "tensorflow none float32")


def takes(trial: Trial) -> float | str:
    """SGD fails at the smallest rate."""
    return "capped" if (trial.optimizer, trial.learning_rate) == ("sgd", 0.001) else 5.0


def time_of(trial: Trial, seconds: float, reference: Reference) -> StepTime:
    """A made-up step time."""
    network, width, scale, optimizer, hyper, batch, lanes, jobs = key_of(trial)
    return StepTime(
        network=network,
        width=width,
        scale_dense=scale,
        optimizer=optimizer,
        hyper=hyper,
        batch=batch,
        lanes=lanes,
        jobs=jobs,
        seconds=seconds,
        low=seconds,
        high=seconds,
        rounds=9,
        steps=50,
        fingerprint=reference.fingerprint,
        software=reference.software,
        measured_at="2026-01-01T00:00:00+00:00",
        machine=reference.machine,
    )


def mixed(folder: Path, spec: StudySpec = SPEC, own_clock: bool = False) -> Path:
    """A study of which a second machine trained every other trial, by the first one's clock or by
    its own.
    """
    store = Store(folder)
    with store.writing():
        store.write_spec(spec, "made up", HOME)
        for i, run in enumerate(made_runs(spec, takes)):
            run = replace(run, machine="home", fingerprint="aaaa", versions={})
            if i % 2:
                run = replace(run, machine="guest", fingerprint="bbbb")
                if not own_clock:
                    run = replace(
                        run,
                        reference=HOME.fingerprint,
                        reference_machine=HOME.machine,
                        reference_software=HOME.software,
                    )
                else:
                    seconds = 3 * STEP_SECONDS
                    run = replace(run, step_seconds=seconds, seconds=(run.steps or 0) * seconds)
            store.append(run)
    kinds = {key_of(trial): trial for trial in spec.trials()}.values()
    guest = replace(HOME, machine="guest", fingerprint="bbbb")
    times = [time_of(trial, 3 * STEP_SECONDS, guest) for trial in kinds]
    (folder / "calibration.json").write_text(json.dumps([asdict(time) for time in times]))
    return folder


def check(**changes: object) -> Across:
    """A check in which all went well."""
    values = dict(
        at="2026-01-01T00:00:00+00:00",
        machine="guest",
        fingerprint="bbbb",
        software=HOME.software,
        engine="tensorflow",
        precision="float32",
        trials=12,
        same_outcomes=12,
        both=9,
        ratio=1.01,
        low=0.97,
        high=1.05,
    )
    return Across(**{**values, **changes})  # type: ignore[arg-type]


def test_rows_of_two_machines_share_a_table_and_it_is_said(tmp_path: Path) -> None:
    """By the reference's step times; whether anybody checked is said too."""
    study = tables.StoredStudy(mixed(tmp_path / "mixed"))
    assert len(study.runs) == len(SPEC)
    assert set(study.runs["clock_machine"]) == {"home"}
    assert set(tables.best(study.runs)["seconds"]) == {5.0}
    said = tables.warnings(study)
    assert said[0] == (
        "seconds are by the step times of home; the steps come from 2 kinds of machine: home (9), "
        "guest (9)"
    )
    assert said[1].startswith("nobody has checked")
    subtitle = " ".join(text.get_text() for text in figures.valley(study.runs).texts)
    assert "· home · " in subtitle
    assert "trained on 2 kinds of machine" in subtitle
    add_check(tmp_path / "mixed", check())
    said = tables.warnings(tables.StoredStudy(tmp_path / "mixed"))
    assert said[1].startswith("guest agrees with the stored trials: 12 of 12 trials ended alike")
    add_check(tmp_path / "mixed", check(low=1.1, high=1.2, ratio=1.15))
    said = tables.warnings(tables.StoredStudy(tmp_path / "mixed"))
    assert said[1].startswith("guest may not agree with the stored trials: ")


@pytest.mark.parametrize("named", ["guest", "bbbb"])
def test_seconds_are_given_by_the_machine_that_is_named(tmp_path: Path, named: str) -> None:
    """Three times as slow: three times the seconds of the same steps, of all trials; and the budget
    is that of the same cap in steps.
    """
    folder = mixed(tmp_path / "mixed")
    here, there = tables.load(folder), tables.load(folder, named)
    assert there["seconds"].tolist() == pytest.approx((3 * here["seconds"]).tolist())
    assert there["steps"].tolist() == here["steps"].tolist()
    assert set(there["clock_machine"]) == {"guest"}
    assert tables.budget(there).tolist() == pytest.approx([60.0] * len(SPEC))
    assert figures.style.budget_of(there) == "60 s"
    with pytest.raises(StudyError, match=r"no trial of the machine 'nobody': home \(aaaa\)"):
        tables.load(folder, "nobody")


@pytest.mark.parametrize("named", ["laptop", "cccc"])
def test_a_machine_that_trained_nothing_can_be_named(tmp_path: Path, named: str) -> None:
    """Once its step times are in the folder, as after calibrate."""
    folder = mixed(tmp_path / "mixed")
    path = folder / "calibration.json"
    laptop = Reference("laptop", "cccc", HOME.software)
    kinds = {key_of(trial): trial for trial in SPEC.trials()}.values()
    times = [asdict(time_of(trial, 2 * STEP_SECONDS, laptop)) for trial in kinds]
    path.write_text(json.dumps([*json.loads(path.read_text()), *times]))
    there = tables.load(folder, named)
    assert there["seconds"].tolist() == pytest.approx((2 * tables.load(folder)["seconds"]).tolist())
    assert set(there["clock_machine"]) == {"laptop"}
    times.pop()
    path.write_text(json.dumps(times))
    with pytest.raises(StudyError, match=r"step time of adam .* is not known of laptop"):
        tables.load(folder, named)


def test_caps_in_seconds_by_two_clocks_are_not_brought_together(tmp_path: Path) -> None:
    """They allowed different steps, as in folders of older versions: each clock has a table."""
    folder = mixed(tmp_path / "old", own_clock=True)
    with pytest.raises(StudyError, match=r"differ in clock \(home \(aaaa\), guest \(bbbb\)\)"):
        tables.best(tables.load(folder))
    assert len(tables.load(folder, "guest")) == len(SPEC) // 2
    assert tables.StoredStudy(folder, "home").elsewhere == len(SPEC) // 2


def test_a_cap_in_steps_is_the_same_everywhere(tmp_path: Path) -> None:
    """So rows by two clocks share a table, converted to the reference's seconds."""
    spec = SPEC.with_(cap=None, max_steps=2000)
    folder = mixed(tmp_path / "steps", spec, own_clock=True)
    runs = tables.load(folder)
    assert set(runs["clock"]) == {"aaaa"}
    assert runs["seconds"].tolist() == pytest.approx((runs["steps"] * STEP_SECONDS).tolist())
    slow = tables.load(folder, "guest")
    assert len(slow) == len(spec) // 2, "its own rows first"


def test_seconds_read_off_a_clock_are_never_converted(tmp_path: Path) -> None:
    """Trials alone keep what was read."""
    spec = SPEC.with_(mode="alone", cap=None, max_steps=2000)
    folder = mixed(tmp_path / "alone", spec)
    lines = Store(folder).runs_path.read_text().replace('"reconstructed"', '"measured"')
    Store(folder).runs_path.write_text(lines)
    assert tables.load(folder, "guest")["seconds"].equals(tables.load(folder)["seconds"])


def test_engines_share_a_table_once_they_were_shown_to_agree(tmp_path: Path) -> None:
    """Not before, and not after a check that failed."""
    folder = mixed(tmp_path / "engines")
    path = Store(folder).runs_path
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["machine"] == "guest":
            row["engine"] = "jax"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(StudyError, match=r"differ in pool .*verify --across"):
        tables.best(tables.load(folder))
    add_check(folder, check(engine="jax", same_outcomes=9))
    with pytest.raises(StudyError, match="differ in pool"):
        tables.best(tables.load(folder))
    add_check(folder, check(engine="jax"))
    assert set(tables.best(tables.load(folder))["seconds"]) == {5.0}


def test_a_study_by_one_clock_stays_as_it_is(tmp_path: Path) -> None:
    """And one whose reference is not known, or whose cap is in seconds."""
    spec = SPEC.with_(cap=None, max_steps=2000)
    runs = made_runs(spec, takes)
    other = [replace(run, fingerprint="bbbb") for run in runs[1:]]
    mine = [replace(runs[0], fingerprint="aaaa"), *other]
    (tmp_path / "s").mkdir()
    assert counted_by(runs, None, tmp_path / "s", HOME, cap=False) == runs
    assert counted_by(mine, None, tmp_path / "s", None, cap=False) == mine
    assert counted_by(mine, None, tmp_path / "s", HOME, cap=True) == mine
    step = STEP_SECONDS * 2
    times = [asdict(time_of(run.trial, step, HOME)) for run in runs]
    (tmp_path / "calibration.json").write_text(json.dumps(times))
    found = counted_by(mine, None, tmp_path / "s", HOME, cap=False)
    assert found[0] == mine[0], "its own seconds"
    assert [run.seconds for run in found[1:]] == [step * (run.steps or 0) for run in other]
    assert {(run.step_seconds, run.clock, run.clock_machine) for run in found[1:]} == {
        (step, "aaaa", "home")
    }
    assert {run.clock_software for run in found[1:]} == {HOME.software}
    unknown = [replace(run, steps=None) for run in other]
    with pytest.raises(StudyError, match=r"step time of .* is not known of home: run calibrate"):
        counted_by([mine[0], *unknown], None, tmp_path / "s", HOME, cap=False)


def test_the_studys_own_step_times_come_first(tmp_path: Path) -> None:
    """Before those in the folder above; older ones that name no machine are known by the rows."""
    folder = mixed(tmp_path / "mixed")
    laptop = Reference("", "cccc", HOME.software)
    for path, factor in ((folder, 2), (tmp_path, 5)):
        times = [asdict(time_of(trial, factor * STEP_SECONDS, laptop)) for trial in SPEC.trials()]
        (path / "calibration.json").write_text(json.dumps(times))
    here = tables.load(folder)
    ratio = tables.load(folder, "cccc")["seconds"] / here["seconds"]
    assert ratio.tolist() == pytest.approx([2] * len(SPEC))
    guest = replace(laptop, fingerprint="bbbb")
    times = [asdict(time_of(trial, 4 * STEP_SECONDS, guest)) for trial in SPEC.trials()]
    (folder / "calibration.json").write_text(json.dumps(times))
    assert tables.load(folder, "guest")["seconds"].sum() == pytest.approx(4 * here["seconds"].sum())


def test_seconds_lie_between_the_readings_of_their_step_time(tmp_path: Path) -> None:
    """The extremes of the quartiles of all quiet readings, and the row's own step time."""
    folder = mixed(tmp_path / "mixed")
    sgd = next(trial for trial in SPEC.trials() if trial.optimizer == "sgd")
    first = time_of(sgd, STEP_SECONDS, HOME)
    readings = (
        replace(first, low=0.9 * STEP_SECONDS, high=1.1 * STEP_SECONDS),
        replace(first, low=1.2 * STEP_SECONDS, high=1.4 * STEP_SECONDS, again=True),
        replace(first, low=0.1 * STEP_SECONDS, high=9 * STEP_SECONDS, quiet=False),
        replace(first, low=0.2 * STEP_SECONDS, high=8 * STEP_SECONDS, fingerprint="cccc"),
        replace(first, low=0.3 * STEP_SECONDS, high=7 * STEP_SECONDS, lanes=16),
    )
    (folder / "calibration.json").write_text(json.dumps([asdict(one) for one in readings]))
    runs = tables.load(folder)
    mine = runs[runs["optimizer"] == "sgd"]
    for name, ratio in (("seconds_low", 0.9), ("seconds_high", 1.4)):
        assert (mine[name] / mine["seconds"]).tolist() == pytest.approx([ratio] * len(mine))
    others = runs.loc[runs["optimizer"] == "adam", ["seconds_low", "seconds_high"]]
    assert others.isna().all(axis=None)
    (folder / "calibration.json").write_text(json.dumps([asdict(readings[1])]))
    mine = tables.load(folder).query("optimizer == 'sgd'")
    assert mine["seconds_low"].tolist() == mine["seconds"].tolist()


def test_budgets_are_the_same_steps_by_another_clock() -> None:
    """The cap in steps of the stored run x the step time that is shown; infinite without a bound;
    nothing where no step time is known.
    """
    trial = SPEC.trials()[0]
    for cap, max_steps, before, after, budget in (
        (20.0, None, 0.01, 0.03, 2000 * 0.03),
        (20.3, None, 0.01, 0.03, 2000 * 0.03),
        (None, 1999, 0.01, 0.03, 1950 * 0.03),
        (None, 1000, 0.01, None, 0.0),
        (None, None, 0.01, 0.03, float("inf")),
    ):
        run = replace(RUN, trial=replace(trial, cap=cap, max_steps=max_steps), step_seconds=before)
        shown = [replace(run, step_seconds=after)]
        assert budgets([run], shown) == [pytest.approx(budget)]


def test_nobody_is_named_where_nothing_has_ended(tmp_path: Path) -> None:
    """Nor are step times."""
    store = Store(tmp_path / "new")
    with store.writing():
        store.write_spec(SPEC, "made up")
    with pytest.raises(StudyError, match="no trial of the machine 'x': none has ended; nor does"):
        tables.load(tmp_path / "new", "x")
    folder = mixed(tmp_path / "two", own_clock=True)
    with pytest.raises(StudyError, match=r"guest \(bbbb\), home \(aaaa\); nor does it hold"):
        tables.load(folder, "x")
