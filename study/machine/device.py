"""The device that a process trains on: one process a GPU, and one timed job a device.

A device is `cpu` or the UUID of a GPU. Its lock is a file in the temporary folder of this user. The
system releases the lock when the process that holds it dies.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from study.errors import StudyError
from study.machine.here import this_machine
from study.machine.nvidia import gpus
from study.machine.versions import versions_of

CPU = "cpu"


# CUDA counts GPUs as nvidia-smi does; its own default puts the fastest first.
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


@cache
def current() -> str:
    """The device that a framework takes in this process: its first GPU, else the processor."""
    return gpus()[0].uuid if gpus() else CPU


def choose(name: str) -> None:
    """Restrict this process and its children to one kind of device.

    Call it before a framework is imported.

    Args:
        name: `cpu`; `gpu`, all GPUs that the process sees; or `gpu:N`, the N-th of them from 0.

    Raises:
        StudyError: another name, or no such GPU.
    """
    found = re.fullmatch(r"cpu|gpu(?::([0-9]+))?", name)
    if not found:
        raise StudyError(f"device {name!r} must be cpu, gpu or gpu:N")
    if name == CPU:
        os.environ |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": CPU}
    else:
        seen, place = gpus(), int(found[1] or 0)
        if len(seen) <= place:
            raise StudyError(
                f"device {name}: {len(seen)} GPUs are seen here (by nvidia-smi and "
                "CUDA_VISIBLE_DEVICES)"
            )
        if found[1]:
            os.environ["CUDA_VISIBLE_DEVICES"] = seen[place].uuid
    # These describe the machine as this process sees it, which has just changed.
    for known in (current, this_machine, versions_of):
        known.cache_clear()


def pin() -> str:
    """Take a device for as long as this process lives.

    It is the first visible GPU that no other process has taken, or the processor where there is no
    GPU. A framework that is imported afterwards sees that GPU alone.

    Returns:
        The device.

    Raises:
        StudyError: every GPU is taken.
    """
    seen = gpus()
    if not seen:
        return CPU
    for gpu in seen:
        try:
            lock_of(gpu.uuid).acquire(timeout=0)
        except Timeout:
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
        current.cache_clear()
        return gpu.uuid
    raise StudyError(
        f"each of this machine's GPUs ({len(seen)}) has its worker or a timed job already: "
        "start one worker a GPU, no more"
    )


@contextmanager
def exclusive() -> Iterator[None]:
    """Reserve the device of this process, so that no other timed job runs on it.

    Where another job has reserved it, this one says so and waits.
    """
    lock = lock_of(current())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        from tqdm import tqdm

        tqdm.write(
            "waiting: another timed job has "
            f"{'the processor' if current() == CPU else current()} to itself",
            file=sys.stderr,  # standard output is for answers
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@cache
def lock_of(name: str) -> FileLock:
    """The lock of a device, or another of this user's, by its name.

    There is one object a process: so a process that has pinned a device can also time on it.
    """
    folder = Path(tempfile.gettempdir()) / f"learning-rate-study-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return FileLock(folder / f"{name}.lock", thread_local=False)
