"""The device that a process trains on: one process a GPU, and one timed job at a time on any device, across processes.

A device is `cpu` or the UUID of a GPU. Its lock is a file in this user's part of the machine's temporary folder, which the system lets go
when the process that holds it dies.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from study.errors import StudyError
from study.machine import ask_gpus

CPU = "cpu"


@cache
def current() -> str:
    """The device that TensorFlow takes in this process: the first GPU that it can see, else the processor."""
    return (*visible(), CPU)[0]


def pin() -> str:
    """Take a device for this process for as long as it lives: the first of the GPUs that it can see which no other process has taken.

    TensorFlow, if it is imported only afterwards, sees that GPU alone.

    Raises:
        StudyError: every GPU is taken.
    """
    gpus = visible()
    if not gpus:
        return CPU
    for gpu in gpus:
        try:
            _lock(gpu).acquire(timeout=0)
        except Timeout:
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        current.cache_clear()
        return gpu
    raise StudyError(f"each of this machine's GPUs ({len(gpus)}) has its worker or a timed job already: start one worker a GPU, no more")


@contextmanager
def alone() -> Iterator[None]:
    """Have this process's device to itself among timed jobs; waits for the one that has it, and says so."""
    lock = _lock(current())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        from tqdm import tqdm

        tqdm.write(f"waiting: another timed job has {'the processor' if current() == CPU else current()} to itself")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def visible() -> Sequence[str]:
    """UUIDs of the GPUs that CUDA shows this process, in its order."""
    gpus = ask_gpus("uuid")
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return gpus
    found = []
    for name in named.split(","):
        name = name.strip()
        match = gpus[int(name) : int(name) + 1] if name.isdigit() else [gpu for gpu in gpus if name and gpu.startswith(name)]
        if not match:
            break  # as CUDA does: what follows a name of nothing is not seen
        found.append(match[0])
    return found


@cache
def _lock(device: str) -> FileLock:
    """The device's lock; one object a process, so that a process that has pinned a device can time on it."""
    folder = Path(tempfile.gettempdir()) / f"learning-rate-study-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return FileLock(folder / f"{device}.lock", thread_local=False)
