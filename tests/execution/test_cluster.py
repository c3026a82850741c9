"""A cluster: what its workers must have, who measures, and what is said where it cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.executors import tasks
from study.execution.executors.base import Event, Setting, Timed, TimeSteps, TrainGroup
from study.execution.request import Request
from study.machine.here import this_site
from study.training import timing
from study.training.group import Context
from support.driving import SPEC, engine
from support.execution.clusters import DIGEST, Dask, cluster
from support.parabola import MACHINE

pytestmark = pytest.mark.slow


def test_a_cluster_of_this_machine_listens_to_this_machine_alone() -> None:
    """Scheduler, workers and driver."""
    pytest.importorskip("distributed")
    crew = cluster(None, 2)
    try:
        me = psutil.Process()
        sockets = [
            socket
            for process in (me, *me.children(recursive=True))
            for socket in process.net_connections("inet")
        ]
        listening = {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert crew.jobs == crew.dispatcher.beside(crew.dispatcher.workers()[0]) == 2
        assert [site.kind for site in crew.sites] == [this_site().kind]
    finally:
        crew.close()


def test_step_times_are_measured_by_a_worker_that_has_its_machine_to_itself(
    folder: Path, dask: Dask
) -> None:
    """One of two has not, and trains no trial alone either."""
    dask.workers(1)
    alone = cluster(dask.address, 1)
    task = TimeSteps(tuple(SPEC.trials()[:2]))
    events: list[Event] = []
    alone.exclusive(task, lambda index, event: events.append(event))
    alone.close()
    (timed_,) = events
    assert isinstance(timed_, Timed)
    assert [len(timed_.rounds[i].seconds) for i in (0, 1)] == [timing.ROUNDS] * 2
    dask.workers(1)
    both = cluster(dask.address, 2)
    with pytest.raises(StudyError, match="it has 2 workers: start one a machine"):
        both.exclusive(task, lambda index, event: None)
    both.close()
    with pytest.raises(StudyError, match=r"^trials alone of .* it has 2 workers"):
        driver.run(
            Request(
                SPEC.with_(mode="alone"),
                folder,
                backend="dask",
                scheduler=dask.address,
                factory=engine,
            ),
            progress=False,
        )


def test_what_a_worker_lacks_or_has_otherwise_is_said(dask: Dask, tmp_path: Path) -> None:
    """Its sentence is the driver's: other data, threads that would share a TensorFlow."""
    dask.workers(1)
    crew = cluster(dask.address, 1, DIGEST)
    with pytest.raises(StudyError, match=rf"^a worker's mnist is other data .*{DIGEST}"):
        crew.exclusive(TimeSteps(tuple(SPEC.trials()[:1])), lambda index, event: None)
    crew.close()
    dask.worker(threads=2)
    with pytest.raises(StudyError, match="has 2 threads: start workers with --nthreads 1"):
        cluster(dask.address, 2, DIGEST)


def test_a_worker_on_another_machine_is_refused() -> None:
    """Before it trains: its seconds would not be the study's."""
    context = Context("s", replace(this_site(), machine=MACHINE), 1)
    with pytest.raises(
        StudyError, match=f"planned for \\({MACHINE.name}, fingerprint {MACHINE.fingerprint}"
    ):
        tasks.work(
            TrainGroup(tuple(SPEC.trials()[:1]), (0.1,), context),
            Setting("mnist", engine, 1),
            print,
        )


def test_too_few_workers_and_no_scheduler_are_said(
    dask: Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, each in a sentence."""
    monkeypatch.setattr("study.execution.executors.dask.ARRIVAL", 1.0)
    monkeypatch.setattr("study.execution.executors.service.ARRIVAL", 1.0)
    with pytest.raises(StudyError, match=f"^0 of 3 workers have come to {dask.address}"):
        cluster(dask.address, 3, DIGEST)
    dask.kill()
    with pytest.raises(StudyError, match=f"^no dask scheduler answers at {dask.address}"):
        cluster(dask.address, None, DIGEST)
