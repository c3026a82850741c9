"""Groups of trials on several processes through joblib. The process that calls is the only one that writes.

Workers send each run over a socket of this machine the moment it ends, as JSON: joblib hands back a whole group at once, which would leave
finished trials in memory for as long as the group's slowest.
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
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from study import data
from study.calibration import Engine
from study.errors import StudyError
from study.machine import this_machine
from study.race import Finish
from study.record import Run
from study.spec import Trial
from study.stopwatch import Stopwatch
from study.training import Context, Emit, train

EngineFactory = Callable[[data.Images], Engine]
Job = tuple[list[Trial], list[float] | None]

GRACE = 1.0
"""Seconds to wait for what a worker had sent before another one died."""


def work(jobs: Sequence[Job], dataset: str, factory: EngineFactory, context: Context, emit: Emit, workers: int) -> None:
    """Train the groups on `workers` processes and emit each run here as it comes.

    Raises:
        StudyError: a worker process died; what had ended before has been emitted.
    """
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor

    inbox: queue.Queue[tuple[Run, Finish | None] | int | BaseException] = queue.Queue()
    key = secrets.token_bytes(32)
    with Listener(authkey=key) as listener:
        calls = [delayed(_worker)(*job, dataset, factory, context, (listener.address, key), os.getpid(), workers) for job in jobs]

        def everything() -> None:
            try:
                with parallel_config(backend="loky", n_jobs=workers):
                    inbox.put(sum(Parallel(batch_size=1, return_as="generator_unordered")(calls)))
            except BaseException as error:
                inbox.put(error)

        for task in (everything, lambda: _accept(listener, inbox)):
            threading.Thread(target=task, daemon=True).start()
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
                    raise StudyError(f"a worker process died ({name}): what had ended is stored; run the same command to go on") from None
                if isinstance(message, BaseException):
                    error = message
                elif isinstance(message, int):
                    expected = message
                else:
                    emit(*message)
                    received += 1
        finally:
            stopped = received != expected
            # reuse=True, or the call would first wait for the very tasks that are to be stopped.
            get_reusable_executor(reuse=True, kill_workers=stopped).shutdown(wait=not stopped, kill_workers=stopped)


def _accept(listener: Listener, inbox: queue.Queue[Any]) -> None:
    """Put what any worker sends into the inbox, until the listener is closed."""

    def read(connection: Connection[Any, Any]) -> None:
        with suppress(EOFError, OSError):
            while True:
                row, finish = json.loads(connection.recv_bytes())
                inbox.put((Run.from_json(row), None if finish is None else Finish(**finish)))

    with suppress(OSError):
        while True:
            threading.Thread(target=read, args=(listener.accept(),), daemon=True).start()


_engines: dict[str, Engine] = {}


def _worker(
    trials: list[Trial],
    step_seconds: list[float] | None,
    dataset: str,
    factory: EngineFactory,
    context: Context,
    inbox: tuple[Any, bytes],
    driver: int,
    workers: int,
) -> int:
    """Train a group in a worker process, send each run, and return how many; the engine is kept for the next group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not _engines:
        threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, str(max(1, this_machine().cores // workers)))
    if dataset not in _engines:
        _engines[dataset] = factory(data.load(dataset))
    sent = 0
    with Client(inbox[0], authkey=inbox[1]) as connection:

        def emit(run: Run, finish: Finish | None) -> None:
            nonlocal sent
            connection.send_bytes(json.dumps([run.to_json(), None if finish is None else asdict(finish)]).encode())
            sent += 1

        train(trials, step_seconds, _engines[dataset], context, emit, Stopwatch())
    return sent


def _die_with(driver: int) -> None:
    """End this process when the driver is gone, killed perhaps: nobody would write what it finds."""
    while os.getppid() == driver:
        time.sleep(1)
    os._exit(1)
