"""Who trains and times for a driver: its own process, several of this machine through joblib, or (`study.cluster`) other machines'.

The process that calls is the only one that writes. Processes of this machine send what they find over a socket the moment they have it, as
JSON: joblib hands back a whole task at once, which would leave finished trials in memory for as long as the group's slowest. From other
machines that is the way, since a socket to them would have to listen beyond this one.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from study import calibration, curves, data, device
from study.calibration import Engine, Rounds
from study.engine import site_of
from study.errors import StudyError, Terminated
from study.machine import THREADS, this_site
from study.quiet import Load
from study.race import Finish, Progress
from study.record import Run
from study.spec import Trial
from study.stopwatch import Stopwatch
from study.training import Context, Emit, train

EngineFactory = Callable[[data.Images], Engine]
Job = tuple[list[Trial], list[float] | None]
Send = Callable[..., None]
Task = Callable[..., None]
Watch = Callable[[int, Progress], None]

GRACE = 1.0
"""Seconds to wait for what a worker had sent before another one died."""


class Here:
    """This process, all cores to itself.

    Args:
        engine: makes the engine when it is first needed.
        stopwatch: counts where the time goes.
    """

    def __init__(self, engine: Callable[[], Engine], stopwatch: Stopwatch) -> None:
        self.engine, self.stopwatch = engine, stopwatch

    def measure(self, trials: Sequence[Trial], watch: Callable[[int, int], None]) -> list[Rounds]:
        """`calibration.step_times`."""
        return calibration.step_times(trials, self.engine(), self.stopwatch.clock, watch)

    def probe(self, trial: Trial, sizes: Sequence[int]) -> dict[int, Rounds]:
        """`calibration.probe`, with the device to itself."""
        with device.alone():
            return calibration.probe(trial, sizes, self.engine(), self.stopwatch.clock)

    def train(self, groups: Sequence[Job], context: Context, emit: Emit, watch: Watch) -> dict[str, float]:
        """Train the groups one after another; `emit` each run as it comes and `watch` each group's checks. The seconds are on the
        stopwatch; none are elsewhere."""
        context = replace(context, device=device.current())
        for i, (trials, step_seconds) in enumerate(groups):
            train(trials, step_seconds, self.engine(), context, emit, self.stopwatch, partial(watch, i))
        return {}

    def curves(self, wanted: curves.Wanted, watch: Callable[[Progress], None]) -> list[dict[str, Any]]:
        """Train the validation curves and return their rows."""
        seeds = (curves.train(trials, wanted.step_seconds, wanted.span, self.engine(), self.stopwatch, watch) for trials in wanted.groups)
        return [row for rows in seeds for row in rows]


@dataclass(frozen=True)
class Setting:
    """What a worker needs to know before its first task: the data, what makes the engine, and how many workers share its machine.

    `digest` is that of the data where the worker's could be another; `key` tells one driver's engine from another's.
    """

    dataset: str
    factory: EngineFactory
    beside: int
    digest: str | None = None
    key: str = field(default_factory=partial(secrets.token_hex, 8))


class Elsewhere(ABC):
    """Workers in other processes."""

    jobs: int

    def train(self, groups: Sequence[Job], context: Context, emit: Emit, watch: Watch) -> dict[str, float]:
        """Train the groups; `emit` each run as it comes and `watch` what checks come. Return the workers' seconds by part.

        Raises:
            StudyError: a worker died; what had ended before has been emitted.
        """
        parts: dict[str, float] = {}

        def receive(index: int, kind: str, *values: Any) -> None:
            if kind == "run":
                row, finish = values
                emit(Run.from_json(row), None if finish is None else Finish(**finish))
            elif kind == "check":
                step, alive, array, seconds = values
                watch(index, Progress(step, tuple(alive), array, seconds))
            else:
                for name, seconds in values[0].items():
                    parts[name] = parts.get(name, 0.0) + seconds

        self._work([(_train, (*job, context)) for job in groups], receive)
        return parts

    def probe(self, trial: Trial, sizes: Sequence[int]) -> dict[int, Rounds]:
        """`calibration.probe` on all workers at once, since that is how they will train; the load is that of the busiest."""
        found: dict[int, list[Rounds]] = {}

        def receive(index: int, size: int, *told: Any) -> None:
            found.setdefault(size, []).append(rounds_from(*told))

        self._work([(_probe, (trial, list(sizes)))] * self.jobs, receive)
        return {
            size: Rounds(
                [value for one in some for value in one.seconds],
                some[0].steps,
                [value for one in some for value in one.processor],
                max((one.load for one in some if one.load), key=lambda load: load.others, default=None),
            )
            for size, some in sorted(found.items())
        }

    @abstractmethod
    def _work(self, tasks: Sequence[tuple[Task, tuple[Any, ...]]], receive: Callable[..., None]) -> None:
        """Have the workers do the tasks, and call `receive(task's index, *message)` here for every message of each."""


class Workers(Elsewhere):
    """Processes of this machine that train and time arrays, each with its share of the cores; they stay up from call to call.

    Args:
        jobs: how many.
        dataset: name of the data set that each loads.
        factory: makes each one's engine.
    """

    def __init__(self, jobs: int, dataset: str, factory: EngineFactory) -> None:
        self.jobs, self.setting = jobs, Setting(dataset, factory, jobs)

    def _work(self, tasks: Sequence[tuple[Task, tuple[Any, ...]]], receive: Callable[..., None]) -> None:
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import get_reusable_executor

        inbox: queue.Queue[list[Any] | int | BaseException] = queue.Queue()
        key = secrets.token_bytes(32)
        with Listener(authkey=key) as listener:
            where = (listener.address, key)
            calls = [
                delayed(_worker)(index, task, arguments, self.setting, where, os.getpid()) for index, (task, arguments) in enumerate(tasks)
            ]

            def everything() -> None:
                try:
                    with parallel_config(backend="loky", n_jobs=self.jobs):
                        inbox.put(sum(Parallel(batch_size=1, return_as="generator_unordered")(calls)))
                except BaseException as error:
                    inbox.put(error)

            for thread in (everything, lambda: _accept(listener, inbox)):
                threading.Thread(target=thread, daemon=True).start()
            expected, error = None, None
            received = 0
            try:
                while expected is None or received < expected:
                    try:
                        message = inbox.get(timeout=GRACE)
                    except queue.Empty:
                        if error is None:
                            continue
                        if isinstance(error, (StudyError, OSError)):
                            raise error from None
                        name = type(error).__name__
                        raise StudyError(
                            f"a worker process died ({name}): what had ended is stored; run the same command to go on"
                        ) from None
                    if isinstance(message, BaseException):
                        error = message
                    elif isinstance(message, int):
                        expected = message
                    else:
                        received += 1
                        receive(*message)
            except BaseException:
                # reuse=True, or the call would first wait for the very tasks that are to be stopped.
                get_reusable_executor(reuse=True, kill_workers=True).shutdown(wait=False, kill_workers=True)
                raise

    def close(self) -> None:
        """Let the processes go."""
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor(reuse=True).shutdown(wait=True)


def _accept(listener: Listener, inbox: queue.Queue[Any]) -> None:
    """Put what any worker sends into the inbox, until the listener is closed."""

    def read(connection: Connection[Any, Any]) -> None:
        with suppress(EOFError, OSError):
            while True:
                inbox.put(json.loads(connection.recv_bytes()))

    with suppress(OSError):
        while True:
            with suppress(AuthenticationError, EOFError, ConnectionError):  # one bad caller is no reason to hear no other
                threading.Thread(target=read, args=(listener.accept(),), daemon=True).start()


_engines: dict[str, Engine] = {}
_one_at_a_time = threading.Lock()
"""A worker with several threads would otherwise train twice in one TensorFlow."""


def _engine(setting: Setting) -> Engine:
    """This process's engine, kept for the driver's next task; its device and threads are settled before TensorFlow is imported."""
    if setting.key not in _engines:
        # The whole machine's facts, all its GPUs', and the user's own settings, before one is pinned and threads are given out.
        cores = site_of(setting.factory).machine.cores
        device.pin()
        for name in ("TF_NUM_INTEROP_THREADS", *THREADS.values()):
            os.environ.setdefault(name, str(max(1, cores // setting.beside)))
        images = data.load(setting.dataset)
        if setting.digest not in (None, images.digest):
            raise StudyError(f"a worker's {setting.dataset} is other data (MD5 {images.digest}) than the study's (MD5 {setting.digest})")
        _engines.clear()  # another driver's
        _engines[setting.key] = setting.factory(images)
    return _engines[setting.key]


def _worker(index: int, task: Task, arguments: tuple[Any, ...], setting: Setting, inbox: tuple[Any, bytes], driver: int) -> int:
    """Do a task in a process of the driver's machine, sending it each message at once; return how many there were."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not _engines:
        threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
    sent = 0
    with _connected(*inbox) as connection:

        def send(*message: Any) -> None:
            nonlocal sent
            connection.send_bytes(json.dumps([index, *message]).encode())
            sent += 1

        task(partial(_engine, setting), send, *arguments)
    return sent


def gather(index: int, task: Task, arguments: tuple[Any, ...], setting: Setting) -> list[str]:
    """Do a task in a process of any machine, and return its messages; checks, which are of use only at once, are left out."""
    messages: list[str] = []

    def send(*message: Any) -> None:
        if message[0] != "check":
            messages.append(json.dumps([index, *message]))
        elif _unwanted():
            raise Terminated

    with _one_at_a_time:
        task(partial(_engine, setting), send, *arguments)
    return messages


def _unwanted() -> bool:
    """Has the driver gone, or given the task up in which this is called? Dask lets what runs in a thread run on, for nobody."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    worker = get_worker()
    return bool(worker.state.tasks[worker.get_current_task()].state == "cancelled")


def _connected(address: Any, key: bytes) -> Connection[Any, Any]:
    """The connection to the driver; a handshake that fails is tried again, since a group of trials hangs on it."""
    for _ in range(5):
        with suppress(AuthenticationError, EOFError, ConnectionError):
            return Client(address, authkey=key)
        time.sleep(1)
    return Client(address, authkey=key)


def _train(engine: Callable[[], Engine], send: Send, trials: list[Trial], step_seconds: list[float] | None, context: Context) -> None:
    """Train a group and send each run, each check, and where the time went."""
    site = context.site
    mine = this_site(site.engine, site.precision)
    if mine.kind != site.kind:
        there, here = (f"{one.machine.name}, fingerprint {one.machine.fingerprint}, {one.software}" for one in (mine, site))
        raise StudyError(
            f"a worker runs on another machine or {site.engine} ({there}) than the study ({here}), and seconds would not compare: give "
            "each kind of machine a study of its own"
        )
    stopwatch = Stopwatch()

    def emit(run: Run, finish: Finish | None) -> None:
        send("run", run.to_json(), None if finish is None else asdict(finish))

    def watch(progress: Progress) -> None:
        send("check", progress.step, progress.alive, progress.array, progress.seconds)

    with stopwatch.part("import"):
        made = engine()
    train(trials, step_seconds, made, replace(context, device=device.current()), emit, stopwatch, watch)
    send("parts", stopwatch.parts())


def _probe(engine: Callable[[], Engine], send: Send, trial: Trial, sizes: list[int]) -> None:
    """Time a lane's step in arrays of these sizes and send what was found; the parent's other children do the same."""
    for size, rounds in calibration.probe(trial, sizes, engine(), family=os.getppid()).items():
        send(size, *told_of(rounds))


def told_of(rounds: Rounds) -> tuple[list[float], int, list[float], dict[str, Any] | None]:
    """Rounds as a message's values."""
    return rounds.seconds, rounds.steps, rounds.processor, None if rounds.load is None else asdict(rounds.load)


def rounds_from(seconds: list[float], steps: int, processor: list[float], load: dict[str, Any] | None) -> Rounds:
    """The rounds that `told_of` told."""
    return Rounds(seconds, steps, processor, None if load is None else Load(**load))


def _die_with(driver: int) -> None:
    """End this process when the driver is gone, killed perhaps: nobody would write what it finds."""
    while os.getppid() == driver:
        time.sleep(1)
    os._exit(1)
