"""Workers of several kinds of machine train one study, each its portion, by one reference."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from study import tables
from study.cli.jobs import Job, _planned
from study.cli.option_sets import RunOptions
from study.engines.choice import EngineChoice
from study.errors import StudyError
from study.execution import driver
from study.execution.executors.base import Event, TimeSteps
from study.execution.executors.cluster import Cluster
from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.storage.records import Run
from study.storage.store import Store
from study.training.stopwatch import Stopwatch
from support.driving import SPEC, Results, slow
from support.execution.clusters import Dask, after_lines, over, stored_once
from support.execution.kinds import (
    GPU,
    HERE,
    PLAIN,
    THERE,
    Fate,
    Open,
    request,
    trained,
)

pytestmark = pytest.mark.slow


def kinds(runs: list[Run]) -> Counter[tuple[str, str]]:
    """Rows by the kind of machine that trained them."""
    return Counter((run.fingerprint, run.software) for run in runs)


def test_rows_name_their_workers_machine_and_count_by_the_reference(
    folder: Path, workers: Open, whole: Results
) -> None:
    """This process's kind is the reference, whoever came first; rows of the other kind name it."""
    service = workers(first=THERE, second=HERE, third=THERE)
    said: list[str] = []
    store = trained(folder, said)
    assert stored_once(store, whole)
    assert service.closed
    runs = store.runs()
    assert kinds(runs).keys() == {HERE.kind, THERE.kind}
    for run in runs:
        here = run.fingerprint == HERE.machine.fingerprint
        assert run.jobs == (1 if here else 2)
        assert run.machine == (HERE if here else THERE).machine.name
        assert run.reference == (None if here else HERE.machine.fingerprint)
        assert run.clock == HERE.machine.fingerprint
    reference = store.reference(runs)
    assert reference is not None
    assert reference.kind == HERE.kind
    assert len(tables.best(tables.load(folder))) == len(SPEC.optimizers) * len(SPEC.widths)
    (sentence,) = [one for one in said if one.startswith("this study trains by")]
    assert f"1 worker on {HERE.machine.name} and 2 workers on {THERE.machine.name}" in sentence


def test_a_folder_keeps_its_reference(folder: Path, workers: Open, whole: Results) -> None:
    """Without this process's kind the first kind's counts; it counts when others go on, too."""
    service = workers(first=THERE, second=PLAIN)
    service.then = lambda name: (_ for _ in ()).throw(StudyError("enough"))
    with pytest.raises(StudyError, match="enough"):
        trained(folder, site=THERE)
    store = Store(folder)
    reference = store.reference(store.runs())
    assert reference is not None
    assert reference.kind == THERE.kind
    workers(other=PLAIN, mine=HERE)
    assert stored_once(trained(folder, site=THERE), whole)
    assert {run.clock for run in store.runs()} == {THERE.machine.fingerprint}


def test_step_times_are_measured_by_the_references_kind(folder: Path, workers: Open) -> None:
    """And by no other worker, though there are more of them."""
    service = workers(first=PLAIN, second=THERE, third=PLAIN)
    asked = request(folder)
    stopwatch = Stopwatch()
    here = Local(asked, Source(SPEC.dataset, asked.factory, stopwatch), stopwatch)
    crew = Cluster(asked, "5bd0c1ff", here)
    events: list[Event] = []
    task = TimeSteps(tuple(SPEC.trials()[:1]), kind=THERE.kind)
    crew.exclusive(task, lambda index, event: events.append(event))
    crew.close()
    assert len(events) == 1
    assert service.asked["second"] - service.asked["first"] == 1


def test_trials_of_a_kind_that_is_gone_are_shared_out_again(
    folder: Path, workers: Open, whole: Results
) -> None:
    """Its only worker dies of its second task; the others train what it had left."""
    service = workers(mine=HERE, other=THERE)
    service.fates["other"] = Fate(dies_after=1)
    store = trained(folder)
    assert stored_once(store, whole)
    assert 0 < kinds(store.runs())[THERE.kind] < kinds(store.runs())[HERE.kind]


def test_all_workers_of_all_kinds_are_gone(folder: Path, workers: Open, whole: Results) -> None:
    """One sentence; what has ended is stored, and others go on."""
    service = workers(mine=HERE, other=THERE)
    service.fates |= {"mine": Fate(dies_after=1), "other": Fate(dies_after=1)}
    with pytest.raises(StudyError, match=r"workers gone: .* the same command goes on$"):
        trained(folder)
    assert 0 < len(Store(folder).runs()) < len(whole)
    workers(other=THERE)
    assert stored_once(trained(folder), whole)


def test_a_later_worker_takes_part_if_its_kind_is_known(
    folder: Path, workers: Open, whole: Results
) -> None:
    """One of an unknown kind is told to wait for the next run."""
    service = workers(mine=HERE, other=THERE)

    def joined(name: str) -> None:
        service.sites |= {"later": THERE, "stranger": PLAIN}
        service.done.setdefault("later", 0)
        time.sleep(0.1)

    service.then = joined
    said: list[str] = []
    store = trained(folder, said)
    assert stored_once(store, whole)
    assert service.done["later"] > 0
    assert kinds(store.runs()).keys() == {HERE.kind, THERE.kind}
    (note,) = [one for one in said if "stranger" in one]
    assert "came later and is of a kind that nothing was planned for" in note


def test_workers_that_would_not_train_one_study_are_refused(folder: Path, workers: Open) -> None:
    """Another precision; and in mode alone, where a clock is read, another kind."""
    workers(first=HERE, second=replace(GPU, precision="tf32"))
    with pytest.raises(StudyError, match=r"in float32 and .* in tf32 do not train one study"):
        driver.run(request(folder), progress=False)
    workers(first=HERE, second=THERE)
    with pytest.raises(StudyError, match=r"^mode alone .* must be of one kind, .* 1 worker on "):
        driver.run(request(folder, SPEC.with_(mode="alone")), progress=False)


def test_a_dry_run_tells_each_kinds_share(folder: Path, workers: Open) -> None:
    """Workers and trials by kind; memory is split by workers."""
    workers(first=HERE, second=THERE, third=THERE)
    look = driver.outlook(request(folder, memory=30e9))
    lines = list(_planned(Job(SPEC, None, RunOptions(), EngineChoice()), look))
    (mine,) = [line for line in lines if line.endswith(f" by 1 worker on {HERE.machine.name}")]
    (other,) = [line for line in lines if line.endswith(f"2 workers on {THERE.machine.name}")]
    trials = [int(line.split()[0]) for line in (mine, other)]
    assert sum(trials) == len(SPEC)
    assert trials[0] == pytest.approx(len(SPEC) / 3, abs=16)
    assert [crew.use.memory for crew in look.crews] == [10e9, 20e9]


@pytest.mark.skipif("onednn" not in HERE.versions, reason="TensorFlow decides on this processor")
def test_two_kinds_of_dask_workers_and_a_scheduler_that_dies(
    folder: Path, dask: Dask, tmp_path: Path, whole: Results
) -> None:
    """One worker computes without oneDNN. Nothing is lost or doubled, and all seconds are the
    reference's.
    """
    other = {"TF_ENABLE_ONEDNN_OPTS": "0" if HERE.versions["onednn"] == "on" else "1"}
    dask.workers(1)
    dask.workers(1, other)
    killer = after_lines(Store(folder), 1, dask.scheduler.kill)
    with pytest.raises(
        StudyError, match=rf"^dask at {dask.address} failed .* the same command goes on$"
    ):
        over(dask, folder, slow, 2)
    killer.join()
    kept = {run.id for run in Store(folder).runs()}
    assert 0 < len(kept) < len(whole)
    (tmp_path / "again").mkdir()
    again = Dask(tmp_path / "again")
    try:
        again.workers(1, other)
        again.workers(1)
        store = over(again, folder, count=2)
    finally:
        again.kill()
    assert stored_once(store, whole)
    runs = store.runs()
    assert {run.versions["onednn"] for run in runs} == {"on", "off"}
    assert {(run.clock, run.clock_software) for run in runs} == {HERE.kind}
    assert {run.reference is None for run in runs if run.software == HERE.software} == {True}
    assert {run.reference_software for run in runs if run.software != HERE.software} == {
        HERE.software
    }
    assert len(tables.best(tables.load(folder))) == len(SPEC.optimizers) * len(SPEC.widths)
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != other["TF_ENABLE_ONEDNN_OPTS"]
