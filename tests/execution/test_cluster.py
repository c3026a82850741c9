"""A cluster: what its workers must have, who measures, and what is said where it cannot be."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.executors import handshake, tasks
from study.execution.executors.base import Event, Setting, Timed, TimeSteps, TrainGroup
from study.execution.request import Request
from study.machine.here import this_site
from study.storage.store import Store
from study.training import timing
from study.training.group import Context
from support.driving import SMALL, SPEC, engine
from support.execution.clusters import DIGEST, Dask, cluster
from support.parabola import MACHINE
from support.paths import STUDY


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


class Silent(BaseHTTPRequestHandler):
    """A web server that prints nothing."""

    def log_message(self, *_: object) -> None:
        """See `BaseHTTPRequestHandler`."""


@pytest.mark.parametrize("what", ["a web server", "nothing"])
def test_what_is_no_scheduler_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A dashboard's port, a silent listener: not waited for longer than a closed port is."""
    monkeypatch.setattr("study.execution.executors.dask.ARRIVAL", 1.0)
    with ExitStack() as stack:
        if what == "nothing":
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = server.getsockname()[1]
        else:
            web = HTTPServer(("127.0.0.1", 0), Silent)
            stack.callback(web.server_close)
            stack.callback(web.shutdown)
            threading.Thread(target=web.serve_forever, daemon=True).start()
            port = web.server_address[1]
        with pytest.raises(StudyError, match=r"did not answer as one in 1 s.*8787 is its dashb"):
            cluster(f"tcp://127.0.0.1:{port}", 1)


def package_on_another_machine(folder: Path) -> handshake.Found:
    """What a worker that finds its packages in the folder answers, in a process of its own."""
    cloudpickle = pytest.importorskip("cloudpickle")
    letter = folder / "letter"
    letter.write_bytes(cloudpickle.dumps(handshake.package()))
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import cloudpickle\n"
        "print(*cloudpickle.load(open(sys.argv[1] + '/letter', 'rb'))(), sep='|')\n"
        "assert 'study' not in sys.modules"
    )
    paths = [str(folder), str(Path(cloudpickle.__file__).parent.parent / "cloudpickle" / "..")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *paths],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    version, found = done.stdout.strip().split("|")
    return version, found


@pytest.mark.parametrize(
    "change",
    ["a function is renamed", "a file is missing", "a file is added", "the package is empty"],
)
def test_a_worker_with_another_package_is_named(tmp_path: Path, change: str) -> None:
    """Before anything of this package is sent there; the same code elsewhere is the same."""
    there = tmp_path / "study"
    shutil.copytree(STUDY, there, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    handshake.check(package_on_another_machine(tmp_path), "tcp://there:1")
    if change == "a function is renamed":
        path = there / "execution" / "executors" / "tasks.py"
        path.write_text(path.read_text().replace("def gather(", "def gather_of_old("))
    elif change == "a file is missing":
        (there / "words.py").unlink()
    elif change == "a file is added":
        (there / "more.py").write_text("")
    else:
        shutil.rmtree(there)
        there.mkdir()
        (there / "__init__.py").write_text("")
    with pytest.raises(StudyError, match=r"tcp://there:1 has version .* \(code .*update one"):
        handshake.check(package_on_another_machine(tmp_path), "tcp://there:1")


def test_a_worker_without_the_package_is_named() -> None:
    """And what to do there; a worker of another Python is asked by names alone."""
    with pytest.raises(StudyError, match=r"the worker tcp://there:1 lacks this package, of which"):
        handshake.check(("", ""), "tcp://there:1")
    assert handshake.same_python(platform.python_version_tuple())
    assert not handshake.same_python(("3", "99", "0"))


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_study_that_has_ended_needs_no_cluster(folder: Path, backend: str) -> None:
    """It may be gone; a study that has not ended asks for it."""
    spec = SMALL.with_(rates=(0.1, 0.2))
    driver.run(Request(spec, folder, factory=engine, workers=1), progress=False)
    before = Store(folder).runs_path.read_bytes()
    address = f"{'tcp' if backend == 'dask' else 'ray'}://127.0.0.1:1"
    away: dict[str, Any] = dict(backend=backend, scheduler=address, factory=engine)
    driver.run(Request(spec, folder, **away), progress=False)
    assert Store(folder).runs_path.read_bytes() == before
    if backend == "dask":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("study.execution.executors.dask.ARRIVAL", 0.5)
            with pytest.raises(StudyError, match="no dask scheduler answers"):
                driver.run(Request(spec.with_(seeds=3), folder, **away), progress=False)
