"""The driver on parabolas: nothing lost, nothing doubled, errors recorded, stops clean."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from study.data.images import Images
from study.errors import StudyError
from study.execution import driver, train
from study.execution.request import Request
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Outcome
from study.storage.store import Store
from support.driving import SPEC, engine, program, results, run
from support.parabola import MACHINE, Parabola, ParabolaEngine, calibrated
from support.paths import ROOT, environment

pytestmark = pytest.mark.slow


def test_every_trial_of_the_spec_is_stored_once(folder: Path) -> None:
    """With all kinds of ends among them, and seconds that are steps x step time."""
    store = run(SPEC, folder)
    lines = store.runs_path.read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(
        trial.id for trial in SPEC.trials()
    )
    runs = store.runs()
    assert {run.outcome for run in runs} == {
        Outcome.REACHED,
        Outcome.CAPPED,
        Outcome.DIVERGED,
        Outcome.STUCK,
    }
    for one in runs:
        assert one.step_seconds is not None
        assert one.steps is not None
        assert one.seconds == one.steps * one.step_seconds
        assert one.seconds_source == "reconstructed"
    assert store.spec() == SPEC
    assert len(store.checks()) == len(SPEC)
    assert {curve.optimizer for curve in store.curves()} == set(SPEC.optimizers)


def test_running_again_trains_nothing(folder: Path) -> None:
    """A finished study is left as it is, and the engine is not even made."""
    store = run(SPEC, folder)
    before = store.runs_path.read_bytes(), store.curves_path.read_bytes()

    def never(images: Images) -> ParabolaEngine:
        raise AssertionError("nothing is left to train")

    run(SPEC, folder, never)
    assert (store.runs_path.read_bytes(), store.curves_path.read_bytes()) == before


def test_a_larger_grid_adds_its_trials_alone(
    folder: Path, whole: dict[str, tuple[str, int]]
) -> None:
    """The same study, grown."""
    part = SPEC.with_(optimizers=("sgd",), seeds=1)
    run(part, folder)
    store = run(SPEC, folder)
    assert results(store) == whole
    assert [one.id for one in store.runs()][: len(part)] == [
        one.id for one in run(part, folder).runs()
    ][: len(part)]


def test_another_protocol_in_the_same_folder_is_refused(folder: Path) -> None:
    """The sentence says what differs; nothing stored changes."""
    store = run(SPEC, folder)
    before = store.runs_path.read_bytes()
    with pytest.raises(StudyError, match=r"target is 0\.97 there, 0\.9 here"):
        run(SPEC.with_(target=0.9), folder)
    assert store.runs_path.read_bytes() == before


def test_mode_alone_gives_the_same_steps_and_outcomes(
    folder: Path, whole: dict[str, tuple[str, int]]
) -> None:
    """One by one, by the clock."""
    spec = SPEC.with_(mode="alone", cap=None)
    runs = {
        (one.trial.optimizer, one.trial.learning_rate, one.trial.width, one.trial.seed): one
        for one in run(spec, folder).runs()
    }
    assert len(runs) == len(spec)
    array = {(t.optimizer, t.learning_rate, t.width, t.seed): whole[t.id] for t in SPEC.trials()}
    assert {key: (one.outcome.value, one.steps) for key, one in runs.items()} == array
    assert all(
        one.seconds_source == "measured" and (one.seconds or 0) > 0 and one.lanes == 1
        for one in runs.values()
    )


def test_two_workers_give_what_one_gives(folder: Path, whole: dict[str, tuple[str, int]]) -> None:
    """Every row is written by the driver, once."""
    store = run(SPEC, folder, workers=2)
    assert results(store) == whole
    assert len(store.runs_path.read_text().splitlines()) == len(SPEC)
    assert {one.jobs for one in store.runs()} == {2}


def test_what_a_worker_has_finished_is_on_disk_before_its_group_is(folder: Path) -> None:
    """A driver stopped in the middle has stored the trials that ended, not whole groups."""
    process = start(folder, delay=0.03, workers=2)
    wait_for_lines(Store(folder).runs_path, 2, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    assert 2 <= len(Store(folder).runs()) < 24


def test_a_broken_trial_is_recorded_as_failed_and_harms_no_other(
    folder: Path, whole: dict[str, tuple[str, int]]
) -> None:
    """The array is halved until the trial stands alone."""
    rate = SPEC.trials()[3].learning_rate
    store = run(SPEC, folder, partial(engine, breaks=(rate,)))
    failed = [one for one in store.runs() if one.outcome is Outcome.FAILED]
    assert {one.trial.learning_rate for one in failed} == {rate}
    assert len(failed) == len(SPEC) // len(SPEC.rates)
    assert all(one.error == f"RuntimeError: no parabola at {rate}" for one in failed)
    rest = {
        one.id: (one.outcome.value, one.steps)
        for one in store.runs()
        if one.outcome is not Outcome.FAILED
    }
    assert rest == {id_: result for id_, result in whole.items() if id_ in rest}
    assert len(rest) + len(failed) == len(SPEC)


def test_failed_trials_are_trained_again_on_request(
    folder: Path, whole: dict[str, tuple[str, int]]
) -> None:
    """The later row counts; without the request nothing is trained."""
    rate = SPEC.trials()[3].learning_rate
    store = run(SPEC, folder, partial(engine, breaks=(rate,)))
    assert results(run(SPEC, folder)) != whole
    driver.run(Request(SPEC, folder, factory=engine, workers=1, retry=True), progress=False)
    assert results(store) == whole
    assert len(store.runs_path.read_text().splitlines()) == len(SPEC) + len(SPEC) // len(SPEC.rates)


def test_a_folder_without_its_spec_is_refused(folder: Path) -> None:
    """Nothing in it changes."""
    run(SPEC, folder).spec_path.unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(StudyError, match=r"no spec\.json"):
        run(SPEC, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_grown_study_has_the_curves_of_its_present_best_rates(folder: Path) -> None:
    """Not those of the rates that were best before."""
    run(SPEC.with_(rates="1e-4:1:4"), folder)
    store = run(SPEC, folder)
    grown = store.curves_path.read_bytes()
    assert [curve.optimizer for curve in store.curves()] == list(SPEC.optimizers) * SPEC.seeds
    store.curves_path.unlink()
    assert run(SPEC, folder).curves_path.read_bytes() == grown


def deadly(images: Images, driver_process: int) -> ParabolaEngine:
    """An engine whose worker process dies at its second array, as one out of memory does."""

    class Deadly(ParabolaEngine):
        made = 0

        def learner(self, trials: Sequence[Trial]) -> Parabola:
            self.made += len(set(trials)) > 1  # not where one is timed
            if self.made == 2 and os.getpid() != driver_process:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().learner(trials)

    return Deadly()


def test_a_worker_that_dies_costs_its_own_trials_alone(
    folder: Path, whole: dict[str, tuple[str, int]]
) -> None:
    """The driver says so in a sentence, keeps what it has, and a rerun resumes."""
    with pytest.raises(StudyError, match="a worker process died"):
        run(SPEC, folder, partial(deadly, driver_process=os.getpid()), workers=2)
    kept = results(Store(folder))
    assert 0 < len(kept) < len(SPEC)
    assert kept.items() <= whole.items()
    assert results(run(SPEC, folder, workers=2)) == whole


@pytest.mark.parametrize(("workers", "mode"), [(0, "array"), (-1, "array"), (2, "alone")])
def test_workers_that_make_no_sense_are_refused(folder: Path, workers: int, mode: str) -> None:
    """Two timed trials never share the machine."""
    with pytest.raises(StudyError, match=str(workers)):
        run(SPEC.with_(mode=mode), folder, workers=workers)
    assert not folder.exists()


def test_the_time_spent_is_named_and_adds_up(folder: Path) -> None:
    """One line a process, its parts from data to storing."""
    begun = time.perf_counter()
    store = run(SPEC, folder)
    wall = time.perf_counter() - begun
    (spent,) = [json.loads(line) for line in store.spent_path.read_text().splitlines()]
    parts = spent["seconds"]
    assert {
        "data",
        "import",
        "calibrate",
        "build",
        "compile",
        "train",
        "evaluate",
        "store",
        "other",
    } <= set(parts)
    assert sum(parts.values()) <= wall
    assert sum(parts.values()) >= 0.5 * wall


def test_workers_end_with_a_driver_that_is_killed(folder: Path) -> None:
    """They would train on for nobody."""
    process = start(folder, delay=0.05, workers=2)
    wait_for_lines(Store(folder).runs_path, 1, process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_a_step_time_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    """A shorter list would give the later lanes their neighbours' step times."""
    first, *rest = [
        trial for trial in SPEC.trials() if trial.learning_rate == SPEC.rates[0] and trial.seed == 0
    ]
    times = calibrated(Calibration([tmp_path / "calibration.json"], MACHINE, "test"), rest)
    assert train.step_times_of(rest, times) == (0.001,) * len(rest)
    with pytest.raises(StudyError, match=f"step time of {first.optimizer} at width 1 is not known"):
        train.step_times_of([first, *rest], times)
    assert train.step_times_of([replace(first, mode="alone")], times) is None


def start(folder: Path, delay: float, workers: int = 1) -> subprocess.Popen[bytes]:
    """That process, started."""
    return subprocess.Popen(
        program(folder, delay, workers),
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.DEVNULL,
    )


def wait_for_lines(path: Path, lines: int, process: subprocess.Popen[bytes]) -> None:
    """Until the file has so many lines, or the process has ended."""
    while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < lines):
        time.sleep(0.005)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly_and_the_study_resumes(
    folder: Path, whole: dict[str, tuple[str, int]], number: signal.Signals, code: int
) -> None:
    """What had ended is stored; the lock is free; the time spent is recorded."""
    store = Store(folder)
    process = start(folder, delay=0.01)
    wait_for_lines(store.runs_path, 3, process)
    process.send_signal(number)
    assert process.wait() == code
    assert 3 <= len(store.runs()) < len(SPEC)
    assert len(store.spent_path.read_text().splitlines()) == 1
    assert results(run(SPEC, folder)) == whole
