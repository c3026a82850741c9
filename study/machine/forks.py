"""Tasks of a short command that forks of its process share."""

from __future__ import annotations

import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO

from study.machine.processor import quota, schedulable_cores

MOST = 4
"""Processes at most: each more costs memory, and saves less."""


FRAMEWORKS = ("tensorflow", "jax", "torch")
"""Their threads may hold a lock when the process forks, and the fork would wait for it for ever."""


PLACE = 4
"""Bytes of a task's place in the pipe."""


def share(tasks: Sequence[Callable[[], object]], most: int = MOST) -> None:
    """Do all tasks: in forks of this process, too, where that is safe.

    Each process takes the next place from a pipe. What a task changes in memory is lost with its
    fork, so it writes files. If a fork fails, this process does all tasks again, and so meets the
    error itself. If this process is stopped, each fork ends with the task that it is at.

    Args:
        tasks: what is to be done, in any order.
        most: processes at most; fewer on fewer cores.
    """
    processes = min(len(tasks), most, _cores()) if safe() else 1
    if processes < 2:
        _all(tasks)
        return
    reading, writing = os.pipe()
    with FileIO(reading) as places:
        with FileIO(writing, "w") as pipe:
            pipe.write(b"".join(place.to_bytes(PLACE) for place in range(len(tasks))))
        forks: list[int] = []
        try:
            with suppress(OSError):  # no more processes are to be had: those that are there do
                while len(forks) < processes - 1:
                    forks.append(_forked(tasks, places))
            _some(tasks, places)
        except BaseException:
            places.readall()
            raise
        finally:
            well = [_ended_well(fork) for fork in forks]
    if not all(well):
        _all(tasks)


def _cores() -> int:
    return math.ceil(min(schedulable_cores(), quota()))


def _ended_well(fork: int) -> bool:
    """Wait for a fork; where the system forgets how children end, nothing is known of it."""
    try:
        return os.waitpid(fork, 0)[1] == 0
    except ChildProcessError:
        return False


def safe() -> bool:
    """Whether this process may fork: Linux, one thread, and no framework that has its own."""
    alone = threading.active_count() == 1 and not any(name in sys.modules for name in FRAMEWORKS)
    return sys.platform == "linux" and alone


def _forked(tasks: Sequence[Callable[[], object]], places: FileIO) -> int:
    """Fork, and do tasks there; the fork ends with them, and says nothing of errors."""
    with warnings.catch_warnings():  # of threads of libraries, which look after themselves
        warnings.simplefilter("ignore", DeprecationWarning)
        fork = os.fork()
    if fork:
        return fork
    code = 1
    try:
        _some(tasks, places)
        code = 0
    finally:
        os._exit(code)  # which leaves what this process has open alone


def _some(tasks: Sequence[Callable[[], object]], places: FileIO) -> None:
    """Do tasks as long as the pipe has places."""
    while place := places.read(PLACE):
        tasks[int.from_bytes(place)]()


def _all(tasks: Sequence[Callable[[], object]]) -> None:
    for task in tasks:
        task()
