"""Workers of a dask scheduler and of Ray: real processes on loopback, killed for real. Nothing
lost, nothing doubled.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from study import data
from study.data.images import Images
from study.errors import StudyError
from study.execution import driver
from study.execution.array_sizes import array_seconds
from study.execution.estimates import expected_steps
from study.execution.executors import tasks
from study.execution.executors.base import Event, Setting, Timed, TimeSteps, TrainGroup
from study.execution.executors.cluster import Cluster
from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.execution.plan import group
from study.execution.request import Request
from study.execution.resources import Resources
from study.machine import device
from study.machine.here import this_site
from study.spec.presets import preset
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Finish, Run
from study.storage.store import Store
from study.training import timing
from study.training.group import Context
from study.training.stopwatch import Stopwatch
from support.driving import SPEC, Results, deadly, engine, results, run, slow
from support.parabola import MACHINE, ParabolaEngine, calibrated
from support.paths import ROOT, environment

DIGEST = "5bd0c1ff"
ON_LOOPBACK = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]


class Dask:
    """A scheduler and its workers, each a process of its own on loopback."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("distributed")
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        told = folder / "scheduler.json"
        self.scheduler = self._start(
            "dask_scheduler", *ON_LOOPBACK, "--port", "0", "--scheduler-file", str(told)
        )
        while not told.exists() or not told.read_text().strip():
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address: str = json.loads(told.read_text())["address"]

    def workers(self, count: int) -> list[subprocess.Popen[bytes]]:
        """So many more workers that have come."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            there = len(client.nthreads())
            started = [self.worker() for _ in range(count)]
            client.wait_for_workers(there + count)
        return started

    def worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        """One more worker, on its way."""
        return self._start(
            "dask_worker", self.address, *ON_LOOPBACK, "--nthreads", str(threads), "--no-nanny"
        )

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """End all of it."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    """A scheduler without workers."""
    started = Dask(tmp_path)
    yield started
    started.kill()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler and two workers for the tests that harm neither."""
    started = Dask(tmp_path_factory.mktemp("pair"))
    started.workers(2)
    yield started
    started.kill()


def timed(folder: Path, spec: StudySpec) -> None:
    """Give the study step times, so that its driver measures none."""
    site = this_site()
    calibrated(
        Calibration([folder / "calibration.json"], site.machine, site.kind[1]), spec.trials(), 0.002
    )


def cluster(address: str | None, workers: int | None, digest: str | None = None) -> Cluster:
    """Dask's workers, seen from a machine of another kind."""
    request = Request(SPEC, factory=engine, backend="dask", scheduler=address, workers=workers)
    stopwatch = Stopwatch()
    here = Local(request, Source(SPEC.dataset, engine, stopwatch), stopwatch)
    here.site = replace(here.site, machine=MACHINE)
    return Cluster(request, digest or data.load("mnist").digest, here)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of one worker."""
    return results(run(SPEC, tmp_path_factory.mktemp("whole")))


def over(
    dask: Dask,
    folder: Path,
    factory: Callable[[Images], ParabolaEngine] = engine,
    count: int | None = None,
) -> Store:
    """The study's store after a run by dask's workers, with step times given."""
    timed(folder, SPEC)
    driver.run(
        Request(
            SPEC, folder, factory=factory, backend="dask", scheduler=dask.address, workers=count
        ),
        progress=False,
    )
    return Store(folder)


def stored_once(store: Store, whole: Results) -> bool:
    """Every trial has one line, with the one worker's result."""
    lines = [json.loads(line)["id"] for line in store.runs_path.read_text().splitlines()]
    return sorted(lines) == sorted(whole) and results(store) == whole


def after_lines(store: Store, lines: int, then: Callable[[], object]) -> threading.Thread:
    """A thread that does something once so many trials are stored."""

    def wait() -> None:
        while not store.runs_path.exists() or store.runs_path.read_bytes().count(b"\n") < lines:
            time.sleep(0.005)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


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


def test_the_smoke_study_on_two_dask_workers(folder: Path, pair: Dask) -> None:
    """TensorFlow is imported by the workers alone, where the step times are known."""
    spec = preset("smoke")
    timed(folder, spec)
    driver.run(Request(spec, folder, backend="dask", scheduler=pair.address), progress=False)
    runs = Store(folder).runs()
    assert sorted(one.id for one in runs) == sorted(trial.id for trial in spec.trials())
    assert {one.outcome.value for one in runs} >= {"reached"}
    assert {curve.optimizer for curve in Store(folder).curves()} <= set(spec.optimizers)


def test_the_trials_of_a_killed_worker_are_rerun_elsewhere(
    folder: Path, dask: Dask, whole: Results
) -> None:
    """SIGKILL while both workers train; none is lost or doubled."""
    first, _ = dask.workers(2)
    killer = after_lines(Store(folder), 1, first.kill)
    store = over(dask, folder, slow, 2)
    killer.join()
    assert first.wait() == -signal.SIGKILL
    assert stored_once(store, whole)


def test_a_worker_that_comes_later_takes_part(folder: Path, dask: Dask, whole: Results) -> None:
    """The one that was there at the start is killed when the other has come."""
    (first,) = dask.workers(1)

    def relieve() -> None:
        dask.workers(1)
        first.kill()

    after_lines(Store(folder), 1, relieve)
    assert stored_once(over(dask, folder, slow), whole)


def test_the_scheduler_dies(folder: Path, dask: Dask, tmp_path: Path, whole: Results) -> None:
    """The driver says so in one sentence, keeps what it has, and a rerun at another scheduler
    resumes.
    """
    dask.workers(2)
    after_lines(Store(folder), 1, dask.scheduler.kill)
    with pytest.raises(
        StudyError, match=rf"^dask at {dask.address} failed .* run the same command to go on$"
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
    """Dask tries it on four; joblib's own backend would wait for ever."""
    dask.workers(5)
    spec = SPEC.with_(optimizers=("sgd",), widths=(1,), seeds=1)
    timed(folder, spec)
    with pytest.raises(StudyError, match=r"failed \(KilledWorker"):
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
        assert crew.jobs == crew.service.beside == 2
        assert crew.site == this_site()
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
        StudyError, match=f"than the study \\({MACHINE.name}, fingerprint {MACHINE.fingerprint}"
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


@pytest.mark.parametrize(
    ("backend", "scheduler", "sentence"),
    [
        ("loky", "tcp://127.0.0.1:1", "is for the backends dask and ray"),
        ("spark", None, "backend.*spark"),
        ("ray", None, "needs --scheduler ray://HOST:PORT: "),
        ("ray", "127.0.0.1:6379", "'127.0.0.1:6379' must be ray://HOST:PORT"),
        ("ray", "ray://head", "'ray://head' must be ray://HOST:PORT"),
        ("dask", "", "scheduler '' must be tcp://HOST:PORT or tls://HOST:PORT"),
        ("dask", "nonsense", "scheduler 'nonsense' must be"),
        ("dask", "foo://a:1", "scheduler 'foo://a:1' must be"),
        ("dask", "tcp://127.0.0.1:99999", "scheduler 'tcp://127.0.0.1:99999' must be"),
        ("dask", "tls://127.0.0.1:8786", "needs dask's TLS settings"),
    ],
)
def test_backends_that_make_no_sense_are_refused(
    folder: Path, backend: str, scheduler: str | None, sentence: str
) -> None:
    """At once, and before anything of the study is written."""
    with pytest.raises(StudyError, match=sentence):
        driver.run(
            Request(SPEC, folder, backend=backend, scheduler=scheduler, factory=engine),
            progress=False,
        )
    assert {path.name for path in folder.glob("*")} <= {".lock"}


def test_a_folder_in_use_is_told_before_a_cluster_is_asked(folder: Path) -> None:
    """Its answer could take as long as the other driver's arrays."""
    with Store(folder).writing(), pytest.raises(StudyError, match="another process"):
        driver.run(
            Request(SPEC, folder, backend="dask", scheduler="tcp://127.0.0.1:1", factory=engine),
            progress=False,
        )


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_backend_that_is_not_installed_names_the_file(
    folder: Path, backend: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StudyError, match=f"pip install -r requirements-{backend}.txt"):
        driver.run(
            Request(SPEC, folder, backend=backend, scheduler="ray://127.0.0.1:1", factory=engine),
            progress=False,
        )
    assert (ROOT / f"requirements-{backend}.txt").exists()


def test_what_the_checks_need_of_dask_is_what_users_are_told_to_install() -> None:
    """The same pins."""
    wanted = [
        line
        for line in (ROOT / "requirements-dask.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert set(wanted) <= set((ROOT / "requirements.txt").read_text().splitlines())


def test_arrays_of_a_cluster_come_back_in_time(tmp_path: Path) -> None:
    """They are halved until they are expected to, or are single trials; none is lost."""
    times = calibrated(Calibration([tmp_path / "c.json"], MACHINE, "2"), SPEC.trials(), 0.01)
    trials = SPEC.trials()
    use = Resources(2, 8e9)

    def seconds(trials: Sequence[Trial]) -> float:
        return array_seconds(
            trials[0], [expected_steps(trial, times) for trial in trials], times, use
        )

    longest = max(map(seconds, group(trials, times, use)))
    for patience in (longest / 3, longest / 1e6):
        groups = group(trials, times, replace(use, patience=patience))
        assert sorted(trial.id for trials in groups for trial in trials) == sorted(
            trial.id for trial in trials
        )
        assert all(len(trials) == 1 or seconds(trials) <= patience for trials in groups)
    assert len(groups) == len(trials)


class Head(NamedTuple):
    """The head of a Ray cluster."""

    process: subprocess.Popen[bytes]
    address: str


@pytest.fixture
def ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    """The head of a Ray cluster of this machine with two processors; a token of its own keeps
    others out.
    """
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        port, other = first.getsockname()[1], second.getsockname()[1]
    options = [
        "--num-cpus=2",
        "--include-dashboard=false",
        f"--ray-client-server-port={port}",
        f"--port={other}",
        "--disable-usage-stats",
    ]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", *options]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while True:
        assert process.poll() is None
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.2)
    yield Head(process, f"ray://127.0.0.1:{port}")
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def test_ray_gives_what_one_process_gives_and_its_end_is_told(
    folder: Path, tmp_path: Path, ray: Head, whole: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of its workers killed on the way. When the head dies the driver soon says so, and
    keeps what it has.

    One test, since Ray lets a process join one cluster in its life.
    """

    def kill() -> None:
        busy = [
            p
            for p in psutil.process_iter(["cmdline"])
            if " ".join(p.info["cmdline"] or []).startswith("ray::_call")
        ]
        busy[0].kill()

    killer = after_lines(Store(folder), 1, kill)
    timed(folder, SPEC)
    driver.run(
        Request(SPEC, folder, factory=slow, backend="ray", scheduler=ray.address), progress=False
    )
    killer.join()
    assert stored_once(Store(folder), whole)

    monkeypatch.setattr("study.execution.executors.ray.SILENCE", 3.0)
    again = tmp_path / "again"
    killer = after_lines(Store(again), 1, lambda: os.killpg(ray.process.pid, signal.SIGKILL))
    timed(again, SPEC)
    with pytest.raises(StudyError, match=r"^ray at .* failed .*run the same command to go on$"):
        driver.run(
            Request(SPEC, again, factory=slow, backend="ray", scheduler=ray.address), progress=False
        )
    killer.join()
    assert 1 <= len(Store(again).runs()) < len(SPEC)


def test_a_run_from_before_devices_and_engines_were_recorded_still_loads() -> None:
    """As one of an unknown device, by the only engine that there was."""
    emitted: list[Run] = []

    def keep(run: Run, finish: Finish | None) -> None:
        emitted.append(run)

    from study.training.group import train

    train(
        SPEC.trials()[:1],
        [0.1],
        ParabolaEngine(),
        Context("s", this_site(), 1, device.CPU),
        keep,
        Stopwatch(),
    )
    row = emitted[0].to_json()
    assert Run.from_json(row).device == "cpu"
    for name in ("device", "engine", "precision"):
        del row[name]
    old = Run.from_json(row)
    assert (old.device, old.engine, old.precision) == (None, "tensorflow", "float32")
