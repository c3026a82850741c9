"""Studies of programs: run, stopped, resumed, repeated, by one worker, by several, by others'."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from study import tables
from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.spec.study import StudySpec
from study.storage.records import Outcome
from study.storage.store import Store
from support.driving import results
from support.execution.clusters import Dask
from support.programs import begun, line, outliving, ran, script, settled, spec_of

GRID = """
echo '{"step": 0}'
case $1 in
  0.01) echo '{"step": 10, "accuracy": 0.5, "loss": 1.0}' ;;
  0.1) echo '{"step": 10, "accuracy": 0.95, "loss": 0.5}'; sleep 60 ;;
  1.0) echo '{"step": 10, "accuracy": 0.1, "loss": NaN}'; sleep 60 ;;
  *) echo "no such rate" >&2; exit 4 ;;
esac
"""
"""A program with an end of its own at each rate."""

SLOW = f"echo '{line(0)}'; for i in 1 2 3; do sleep 0.2; echo '{line(5, accuracy=0.5)}'; done"


RATES = (0.01, 0.1, 1.0, 10.0)
ENDS = {0.01: "capped", 0.1: "reached", 1.0: "diverged", 10.0: "failed"}


def study(folder: Path, text: str = GRID, **values: object) -> StudySpec:
    """A study of a program of the shell."""
    return spec_of(
        script(folder, text), **{"rates": RATES, "optimizers": ("sgd", "adam"), **values}
    )


def ends(store: Store) -> dict[float, str]:
    """Outcomes by the rate; each optimizer's are the same."""
    found = {(run.trial.learning_rate, run.outcome.value) for run in store.runs()}
    assert len(found) == len({rate for rate, _ in found})
    return dict(found)


def test_a_study_of_programs_is_run_and_read(tmp_path: Path) -> None:
    """Each end is a row; tables take them as any trials; nothing is trained again."""
    spec = study(tmp_path)
    store = ran(spec, tmp_path / "out")
    assert ends(store) == ENDS
    assert len(store.runs()) == 8
    before = store.runs_path.read_bytes()
    assert ran(spec, store.folder).runs_path.read_bytes() == before
    best = tables.best(tables.load(store.folder))
    assert best["best_rate"].tolist() == [0.1, 0.1]
    looks = tables.load(store.folder)
    assert set(looks.loc[looks["learning_rate"] == 0.1, "first_step"]) == {0}
    checks = tables.checks(store.folder)
    assert set(checks["step"]) == {10}
    assert store.spec().own is not None
    assert [trial.id for trial in store.spec().trials()] == [t.id for t in settled(spec).trials()]


def test_failed_programs_are_tried_again_when_asked_for(tmp_path: Path) -> None:
    """Others are not."""
    spec = study(tmp_path)
    store = ran(spec, tmp_path / "out")
    assert len(ran(spec, store.folder).runs_path.read_text().splitlines()) == 8
    assert len(ran(spec, store.folder, retry=True).runs_path.read_text().splitlines()) == 10
    (tmp_path / "train.sh").write_text(GRID.replace("exit 4", f"echo '{line(1, accuracy=0.95)}'"))
    assert ends(ran(spec, store.folder, retry=True)) == {**ENDS, 10.0: "reached"}


def test_another_program_is_another_study(tmp_path: Path) -> None:
    """Its line, or the text of a file that is tracked."""
    spec = study(tmp_path, track=[str(tmp_path / "train.sh")])
    store = ran(spec, tmp_path / "out")
    with pytest.raises(StudyError, match=r"another program \(part 7 is .* there, --more here"):
        ran(spec.with_(command=f"{spec.command} --more"), store.folder)
    with (tmp_path / "train.sh").open("a") as file:
        file.write("# more\n")
    with pytest.raises(StudyError, match=r"another program \(part 7 is .*train.sh .* there, "):
        ran(spec, store.folder)
    ran(study(tmp_path), tmp_path / "untracked")
    with pytest.raises(StudyError, match=r"track no\.py cannot be read: No such file"):
        ran(spec.with_(track=["no.py"]), tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": "no-such-program {rate}"}, "command 'no-such-program' is not found"),
        ({"report": "log.csv"}, "two trials would write one file"),
        ({"metric": "f1"}, "no report of the program has f1: they have accuracy, loss"),
    ],
)
def test_a_mistake_is_told_before_a_row_is_stored(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    """One sentence, whoever finds it."""
    spec = study(tmp_path, rates=(0.01,)).with_(**changes)
    for workers in (1, 2):
        with pytest.raises(StudyError, match=said):
            ran(spec, tmp_path / "out", workers=workers)
    assert not Store(tmp_path / "out").runs()


@pytest.mark.slow
def test_workers_run_programs_beside_each_other(tmp_path: Path) -> None:
    """With their share of the cores; rows and tables say beside how many."""
    text = f'echo "threads $OMP_NUM_THREADS"; {GRID}'
    spec = study(tmp_path, text)
    store = ran(spec, tmp_path / "out", workers=2)
    assert ends(store) == ENDS
    assert {run.jobs for run in store.runs()} == {2}
    cores = psutil.cpu_count() or 1
    logs = {path.read_text() for path in store.folder.glob("trials/*/log.txt")}
    assert all(f"threads {max(1, cores // 2)}\n" in log for log in logs)
    said = " ".join(tables.warnings(store.folder))
    assert "2 programs ran at a time: seconds were read beside 1 other" in said


def test_what_varies_and_is_not_given_is_said(tmp_path: Path) -> None:
    """Before the trials run."""
    said: list[str] = []
    spec = spec_of(f"sh {tmp_path / 'train.sh'} {{rate}}", seeds=2)
    script(tmp_path, GRID)
    driver.run(Request(spec, tmp_path / "out", workers=1), warn=said.extend, progress=False)
    assert any(one.startswith("the command has no {seed}: all 2 values") for one in said)


def test_a_plan_knows_caps_and_what_has_ended(tmp_path: Path) -> None:
    """Steps take a time that is known once a trial has ended."""
    capped = driver.outlook(Request(study(tmp_path, cap=100.0), tmp_path / "out", workers=1))
    assert capped.plan.most_seconds == 800.0
    assert capped.plan.seconds == 400.0
    two = driver.outlook(Request(study(tmp_path, cap=100.0), tmp_path / "out", workers=2))
    assert two.plan.most_seconds == 400.0
    by_steps: dict[str, Any] = {"cap": None, "max_steps": 1000}
    spec = study(tmp_path, SLOW, **by_steps)
    assert driver.outlook(Request(spec, tmp_path / "out")).plan.most_seconds == float("inf")
    store = ran(study(tmp_path, SLOW, **by_steps, rates=(0.01,)), tmp_path / "out")
    steps = [run.step_seconds or 0.0 for run in store.runs()]
    assert driver.outlook(Request(spec, tmp_path / "out")).plan.most_seconds == pytest.approx(
        3000 * sum(steps)
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_is_stopped_leaves_no_program_and_goes_on(
    tmp_path: Path, workers: int, number: int
) -> None:
    """None of its own; and others are not touched."""
    spec, store = study(tmp_path, SLOW, rates=(0.1, 0.2, 0.3, 0.4)), Store(tmp_path / "out")
    other = subprocess.Popen(["sh", "-c", f"sleep 300; : {tmp_path}"])
    process = begun(spec, store.folder, workers)
    while len(store.runs()) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    kept = store.runs_path.read_bytes()
    os.kill(process.pid, number)
    process.wait()
    assert outliving(str(tmp_path / "train.sh")) == []
    assert other.poll() is None
    other.kill()
    other.wait()
    whole = ran(spec, store.folder)
    assert whole.runs_path.read_bytes().startswith(kept)
    assert set(results(whole).values()) == {("capped", 5)}
    assert len(results(whole)) == 8


@pytest.mark.slow
def test_dask_workers_run_programs(tmp_path: Path, pair: Dask) -> None:
    """As many at a time as there are, each marked so."""
    folder = tmp_path / "out"
    spec = study(tmp_path)
    driver.run(Request(spec, folder, backend="dask", scheduler=pair.address), progress=False)
    assert ends(Store(folder)) == ENDS
    assert {run.jobs for run in Store(folder).runs()} == {2}
    assert {run.outcome for run in Store(folder).runs()} == {Outcome(end) for end in ENDS.values()}
