"""Workers of a dask scheduler: real processes on loopback, killed for real. Nothing is lost and
nothing is doubled.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.machine.here import this_site
from study.spec.presets import preset
from study.storage.store import Store
from support.driving import SPEC, Results, deadly, results, slow
from support.execution.clusters import Dask, after_lines, over, stored_once, timed
from support.paths import ROOT, environment

pytestmark = pytest.mark.slow


def test_two_dask_workers_give_what_one_process_gives(
    folder: Path, pair: Dask, whole: Results
) -> None:
    """Every row once, written here, with how many trained at once and on what."""
    store = over(pair, folder, count=2)
    assert stored_once(store, whole)
    assert {(one.jobs, one.device, one.fingerprint) for one in store.runs()} == {
        (2, "cpu", this_site().machine.fingerprint)
    }
    assert set(store.checks()) == set(whole)
    assert {curve.optimizer for curve in store.curves()} == set(SPEC.optimizers)
    (spent,) = store.spent()
    assert spent.in_workers["train"] > 0


def test_real_training_on_two_dask_workers(folder: Path, pair: Dask) -> None:
    """TensorFlow is imported by the workers alone, where the step times are known."""
    spec = preset("smoke").with_(
        network="mlp", widths=(0.1,), optimizers=("adam",), rates=(0.003, 300.0)
    )
    timed(folder, spec)
    driver.run(Request(spec, folder, backend="dask", scheduler=pair.address), progress=False)
    runs = Store(folder).runs()
    assert sorted(one.id for one in runs) == sorted(trial.id for trial in spec.trials())
    assert {one.outcome.value for one in runs} >= {"reached"}
    assert {curve.optimizer for curve in Store(folder).curves()} <= set(spec.optimizers)


def test_the_trials_of_killed_workers_are_rerun_by_one_that_came_later(
    folder: Path, dask: Dask, whole: Results
) -> None:
    """SIGKILL to both while they train, and a third comes. Nothing is lost or doubled."""
    first, second = dask.workers(2)

    def relieve() -> None:
        first.kill()
        second.kill()
        dask.workers(1)

    killer = after_lines(Store(folder), 1, relieve)
    store = over(dask, folder, slow, 2)
    killer.join()
    assert (first.wait(), second.wait()) == (-signal.SIGKILL,) * 2
    assert stored_once(store, whole)


def test_the_scheduler_dies(folder: Path, dask: Dask, tmp_path: Path, whole: Results) -> None:
    """The driver says so in one sentence, keeps what it has, and a rerun at another scheduler
    resumes.
    """
    dask.workers(2)
    after_lines(Store(folder), 1, dask.scheduler.kill)
    with pytest.raises(
        StudyError, match=rf"^dask at {dask.address} failed .* the same command goes on$"
    ):
        over(dask, folder, slow, 2)
    kept = results(Store(folder))
    assert 0 < len(kept) < len(whole)
    assert kept.items() <= whole.items()
    (tmp_path / "again").mkdir()
    again = Dask(tmp_path / "again")
    try:
        again.workers(1)
        assert stored_once(over(again, folder), whole)
    finally:
        again.kill()


def test_no_worker_is_left(folder: Path, dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that took the task died of it, and no other came: the driver does not wait for ever."""
    dask.workers(1)
    monkeypatch.setattr("study.execution.executors.dask.ARRIVAL", 1.0)
    monkeypatch.setattr("study.execution.executors.service.ARRIVAL", 1.0)
    with pytest.raises(StudyError, match="its workers gone"):
        over(dask, folder, deadly)


def test_a_task_that_kills_every_worker_is_given_up(folder: Path, dask: Dask) -> None:
    """After four, though a fifth is there."""
    dask.workers(5)
    spec = SPEC.with_(optimizers=("sgd",), widths=(1,), seeds=1)
    timed(folder, spec)
    said = r"^4 workers died of the same array of 1 lane at width 1 .* more memory"
    with pytest.raises(StudyError, match=said):
        driver.run(
            Request(spec, folder, factory=deadly, backend="dask", scheduler=dask.address),
            progress=False,
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_stop_when_the_driver_does(
    folder: Path, pair: Dask, number: signal.Signals
) -> None:
    """Not at the end of their groups, which nobody would store."""
    from distributed import Client

    timed(folder, SPEC)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path; from study.execution import driver; from support.driving import "
        "SPEC, endless\n"
        "from study.execution.request import Request\n"
        f"request = Request(SPEC, Path({str(folder)!r}), factory=endless, "
        f"backend='dask', scheduler={pair.address!r})\n"
        "driver.run(request, progress=False)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL
    )

    def busy() -> int:
        return int(sum(client.run(lambda dask_worker: len(dask_worker.state.executing)).values()))

    with Client(pair.address, set_as_default=False) as client:
        while not (folder / "spec.json").exists() or not busy():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        process.wait()
        while busy():
            time.sleep(0.1)
