"""Processes of this machine, started to train beside each other; `Local` decides when."""

from __future__ import annotations

import os
import queue
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import psutil

from study.errors import StudyError, first_line
from study.execution.executors.base import (
    Checked,
    EngineFactory,
    Event,
    Receive,
    Setting,
    Task,
    from_message,
    to_message,
)
from study.execution.executors.tasks import has_engine, work
from study.machine.device import lock_of
from study.machine.loading import end_unswept
from study.machine.versions import THREADS
from study.stopping import heed

GRACE = 1.0
"""Seconds to wait for what a worker had sent before another one died."""


REST, LOOK = 30.0, 0.5
"""Seconds to wait until workers rest at their checks, and between two looks at them."""


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
        with Listener(_address(), authkey=key) as listener:
            where = (listener.address, key)
            threads = THREADS["torch"] in os.environ
            calls = [
                delayed(_worker)(index, task, self.setting, where, os.getpid(), threads)
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

            over = threading.Event()
            for thread in (everything, lambda: _accept(listener, inbox, over)):
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
                        raise _told(error, received) from None
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
            finally:
                over.set()
                _wake(listener.address)

    @contextmanager
    def still(self) -> Iterator[bool]:
        """See `Executor.still`; a driver that dies lets the workers go on."""
        with lock_of(_pause(os.getpid())):
            yield _at_rest()

    def close(self) -> None:
        """Let the processes go."""
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor(reuse=True).shutdown(wait=True)
        Path(lock_of(_pause(os.getpid())).lock_file).unlink(missing_ok=True)


def _pause(driver: int) -> str:
    """The name of the lock that a driver's workers pass at each check."""
    return f"pause-{driver}"


def _at_rest() -> bool:
    """Whether the children of this process come to rest within `REST` seconds."""
    children = psutil.Process().children(recursive=True)

    def taken() -> float:
        total = 0.0
        for child in children:
            with suppress(psutil.Error):
                total += sum(child.cpu_times()[:2])
        return total

    before = taken()
    for _ in range(round(REST / LOOK)):
        time.sleep(LOOK)
        now = taken()
        if now - before < 0.1 * LOOK:
            return True
        before = now
    return False


def _told(error: BaseException, received: int) -> BaseException:
    """What to raise for the error that ended the pool; the sentence names its cause.

    Args:
        error: joblib's, or one that a worker raised.
        received: messages that had come from workers.
    """
    if isinstance(error, StudyError):
        return error
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return error
    kind = type(error).__name__
    ends = sorted(set(re.findall(r"SIG[A-Z]+|EXIT\(\d+\)|UNKNOWN\(\d+\)", str(error))))
    died = isinstance(error, ConnectionError | BrokenProcessPool)
    if died and received:
        hint = "; the system ends a process so when memory runs out: fewer --workers need less"
        return StudyError(
            f"a worker process died ({', '.join(ends) or kind}): what had ended is stored; run the "
            "same command to go on" + (hint if "SIGKILL" in ends else "")
        )
    what = "died before they did anything" if died else f"could not train: {first_line(error)}"
    return StudyError(
        f"the worker processes {what} ({', '.join(ends) or kind}): give --workers 1, which trains "
        "in this process and shows why"
    )


def _address() -> str | tuple[str, int] | None:
    """Where workers of this machine find the driver: no path, whose length TMPDIR would decide.

    Linux has names of sockets apart from files, and Windows has pipes.
    """
    if sys.platform == "linux":
        return f"\0learning-rate-study-{secrets.token_hex(16)}"
    return None if sys.platform == "win32" else ("127.0.0.1", 0)


def _wake(address: Any) -> None:
    """Call the thread that waits for calls. It may have ended, so no answer is waited for."""
    with suppress(Exception):
        Client(address).close()


def _accept(listener: Listener, inbox: queue.Queue[Any], over: threading.Event) -> None:
    """Put what any worker sends into the inbox, until a call after `over` is set."""

    def read(connection: Connection[Any, Any]) -> None:
        with suppress(EOFError, OSError):
            while True:
                inbox.put(connection.recv_bytes())

    with suppress(OSError):
        while not over.is_set():
            with suppress(
                AuthenticationError, EOFError, ConnectionError
            ):  # one bad caller is no reason to hear no other
                connection = listener.accept()
                threading.Thread(target=read, args=(connection,), daemon=True).start()


def _worker(
    index: int,
    task: Task,
    setting: Setting,
    inbox: tuple[Any, bytes],
    driver: int,
    threads: bool,
) -> int:
    """Do a task in a process of the driver's machine; return the number of events sent.

    Each event is sent at once. `threads` says whether the user has set those of PyTorch; else the
    number in this process's environment is joblib's, and no setting that its rows are to tell.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not has_engine():
        end_unswept()
        if not threads:
            os.environ.pop(THREADS["torch"], None)
        threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
    sent, pause = 0, lock_of(_pause(driver))
    with _connected(*inbox) as connection:

        def send(event: Event) -> None:
            nonlocal sent
            connection.send_bytes(to_message(index, event))
            sent += 1
            if isinstance(event, Checked):
                with pause:  # the driver holds it while it measures
                    pass

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
