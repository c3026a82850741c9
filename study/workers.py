"""Work on several processes through joblib. The process that calls is the only one that writes.

Workers send what they find over a socket of this machine the moment they have it, as JSON: joblib hands back a whole task at once, which
would leave finished trials in memory for as long as the group's slowest.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from study import calibration, data
from study.calibration import Engine
from study.errors import StudyError
from study.machine import this_machine
from study.race import Finish, Progress
from study.record import Run
from study.spec import Trial
from study.stopwatch import Stopwatch
from study.training import Context, Emit, train

EngineFactory = Callable[[data.Images], Engine]
Job = tuple[list[Trial], list[float] | None]
Send = Callable[..., None]
Task = Callable[[Engine, Send], None]

GRACE = 1.0
"""Seconds to wait for what a worker had sent before another one died."""


class Workers:
    """Processes of this machine that train and time arrays, each with its share of the cores; they stay up from call to call.

    Args:
        jobs: how many.
        dataset: name of the data set that each loads.
        factory: makes each one's engine.
    """

    def __init__(self, jobs: int, dataset: str, factory: EngineFactory) -> None:
        self.jobs, self.dataset, self.factory = jobs, dataset, factory

    def train(self, groups: Sequence[Job], context: Context, emit: Emit, watch: Callable[[int, Progress], None]) -> dict[str, float]:
        """Train the groups; `emit` each run as it comes and `watch` each group's checks. Return the processes' seconds by part.

        Raises:
            StudyError: a worker process died; what had ended before has been emitted.
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

    def probe(self, trial: Trial, sizes: Sequence[int]) -> dict[int, list[float]]:
        """`calibration.probe` on all processes at once, since that is how they will train."""
        seconds: dict[int, list[float]] = {size: [] for size in sizes}

        def receive(index: int, size: int, values: list[float]) -> None:
            seconds[size] += values

        self._work([(_probe, (trial, list(sizes)))] * self.jobs, receive)
        return {size: values for size, values in seconds.items() if values}

    def _work(self, tasks: Sequence[tuple[Callable[..., None], tuple[Any, ...]]], receive: Callable[..., None]) -> None:
        """Run the tasks on the processes, and call `receive(task's index, *message)` here for every message of each."""
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import get_reusable_executor

        inbox: queue.Queue[list[Any] | int | BaseException] = queue.Queue()
        key = secrets.token_bytes(32)
        with Listener(authkey=key) as listener:
            where = (listener.address, key)
            calls = [
                delayed(_worker)(index, task, arguments, self.dataset, self.factory, where, os.getpid(), self.jobs)
                for index, (task, arguments) in enumerate(tasks)
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


def _worker(
    index: int,
    task: Callable[..., None],
    arguments: tuple[Any, ...],
    dataset: str,
    factory: EngineFactory,
    inbox: tuple[Any, bytes],
    driver: int,
    jobs: int,
) -> int:
    """Do a task in a worker process and return how many messages it sent; the engine is kept for the next."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not _engines:
        threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, str(max(1, this_machine().cores // jobs)))
    if dataset not in _engines:
        _engines[dataset] = factory(data.load(dataset))
    sent = 0
    with _connected(*inbox) as connection:

        def send(*message: Any) -> None:
            nonlocal sent
            connection.send_bytes(json.dumps([index, *message]).encode())
            sent += 1

        task(_engines[dataset], send, *arguments)
    return sent


def _connected(address: Any, key: bytes) -> Connection[Any, Any]:
    """The connection to the driver; a handshake that fails is tried again, since a group of trials hangs on it."""
    for _ in range(5):
        with suppress(AuthenticationError, EOFError, ConnectionError):
            return Client(address, authkey=key)
        time.sleep(1)
    return Client(address, authkey=key)


def _train(engine: Engine, send: Send, trials: list[Trial], step_seconds: list[float] | None, context: Context) -> None:
    """Train a group and send each run, each check, and where the time went."""
    stopwatch = Stopwatch()

    def emit(run: Run, finish: Finish | None) -> None:
        send("run", run.to_json(), None if finish is None else asdict(finish))

    def watch(progress: Progress) -> None:
        send("check", progress.step, progress.alive, progress.array, progress.seconds)

    train(trials, step_seconds, engine, context, emit, stopwatch, watch)
    send("parts", stopwatch.parts())


def _probe(engine: Engine, send: Send, trial: Trial, sizes: list[int]) -> None:
    """Time a lane's step in arrays of these sizes and send the seconds."""
    for size, seconds in calibration.probe(trial, sizes, engine).items():
        send(size, seconds)


def _die_with(driver: int) -> None:
    """End this process when the driver is gone, killed perhaps: nobody would write what it finds."""
    while os.getppid() == driver:
        time.sleep(1)
    os._exit(1)
