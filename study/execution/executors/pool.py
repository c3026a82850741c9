"""Processes of this machine, started to train beside each other; `Local` decides when."""

from __future__ import annotations

import os
import queue
import secrets
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from study.errors import StudyError
from study.execution.executors.base import (
    EngineFactory,
    Event,
    Receive,
    Setting,
    Task,
    from_message,
    to_message,
)
from study.execution.executors.tasks import has_engine, work
from study.stopping import heed

GRACE = 1.0
"""Seconds to wait for what a worker had sent before another one died."""


class Pool:
    """Processes of this machine, each with its share of the cores; they stay up from call to call.

    Args:
        jobs: number of processes.
        dataset: name of the data set that each loads.
        factory: makes each one's engine.
    """

    def __init__(self, jobs: int, dataset: str, factory: EngineFactory) -> None:
        self.jobs, self.setting = jobs, Setting(dataset, factory, jobs)

    def run(self, tasks: Sequence[Task], receive: Receive) -> None:
        """See `Executor.run`."""
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import get_reusable_executor

        inbox: queue.Queue[bytes | int | BaseException] = queue.Queue()
        key = secrets.token_bytes(32)
        with Listener(authkey=key) as listener:
            where = (listener.address, key)
            calls = [
                delayed(_worker)(index, task, self.setting, where, os.getpid())
                for index, task in enumerate(tasks)
            ]

            def everything() -> None:
                try:
                    with parallel_config(backend="loky", n_jobs=self.jobs):
                        inbox.put(
                            sum(Parallel(batch_size=1, return_as="generator_unordered")(calls))
                        )
                except BaseException as error:
                    inbox.put(error)

            for thread in (everything, lambda: _accept(listener, inbox)):
                threading.Thread(target=thread, daemon=True).start()
            expected, error = None, None
            received = 0
            try:
                while expected is None or received < expected:
                    heed()
                    try:
                        message = inbox.get(timeout=GRACE)
                    except queue.Empty:
                        if error is None:
                            continue
                        if isinstance(error, (StudyError, OSError)):
                            raise error from None
                        name = type(error).__name__
                        raise StudyError(
                            f"a worker process died ({name}): what had ended is stored; run the "
                            "same command to go on"
                        ) from None
                    if isinstance(message, BaseException):
                        error = message
                    elif isinstance(message, int):
                        expected = message
                    else:
                        received += 1
                        receive(*from_message(message))
            except BaseException:
                # reuse=True, or the call would first wait for the very tasks that are to be
                # stopped.
                get_reusable_executor(reuse=True, kill_workers=True).shutdown(
                    wait=False, kill_workers=True
                )
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
                inbox.put(connection.recv_bytes())

    with suppress(OSError):
        while True:
            with suppress(
                AuthenticationError, EOFError, ConnectionError
            ):  # one bad caller is no reason to hear no other
                threading.Thread(target=read, args=(listener.accept(),), daemon=True).start()


def _worker(index: int, task: Task, setting: Setting, inbox: tuple[Any, bytes], driver: int) -> int:
    """Do a task in a process of the driver's machine; return the number of events sent.

    Each event is sent at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not has_engine():
        threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
    sent = 0
    with _connected(*inbox) as connection:

        def send(event: Event) -> None:
            nonlocal sent
            connection.send_bytes(to_message(index, event))
            sent += 1

        work(task, setting, send)
    return sent


def _connected(address: Any, key: bytes) -> Connection[Any, Any]:
    """The connection to the driver; a handshake that fails is tried again, since a group of trials
    hangs on it.
    """
    for _ in range(5):
        with suppress(AuthenticationError, EOFError, ConnectionError):
            return Client(address, authkey=key)
        time.sleep(1)
    return Client(address, authkey=key)


def _die_with(driver: int) -> None:
    """End this process when the driver is gone: nobody would write what it finds."""
    while os.getppid() == driver:
        time.sleep(1)
    os._exit(1)
