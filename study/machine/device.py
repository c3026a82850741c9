"""The device that a process trains on: one process a GPU, and one timed job at a time on any
device, across processes.

A device is `cpu` or the UUID of a GPU. Its lock is a file in this user's part of the machine's
temporary folder, which the system lets go when the process that holds it dies.
"""

from __future__ import annotations

import os
import re
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


os.environ.setdefault(
    "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
)  # as nvidia-smi counts; CUDA by itself puts the fastest first


@cache
def current() -> str:
    """The device that a framework takes in this process: the first GPU that it can see, else the
    processor.
    """
    return gpus()[0].uuid if gpus() else CPU


def choose(name: str) -> None:
    """Have this process, and those that it starts, see one device alone: `cpu`, `gpu` (all that it
    sees already) or `gpu:N`, the N-th of them from 0. To be called before a framework is imported.

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
    for known in (
        current,
        this_machine,
        versions_of,
    ):  # the machine is now what this process is left of it
        known.cache_clear()


def pin() -> str:
    """Take a device for this process for as long as it lives: the first of the GPUs that it can see
    which no other process has taken.

    A framework that is imported only afterwards sees that GPU alone.

    Raises:
        StudyError: every GPU is taken.
    """
    seen = gpus()
    if not seen:
        return CPU
    for gpu in seen:
        try:
            _lock(gpu.uuid).acquire(timeout=0)
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
    """Have this process's device to itself among timed jobs; waits for the one that has it, and
    says so.
    """
    lock = _lock(current())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        from tqdm import tqdm

        tqdm.write(
            "waiting: another timed job has "
            f"{'the processor' if current() == CPU else current()} to itself"
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@cache
def _lock(device: str) -> FileLock:
    """The device's lock; one object a process, so that a process that has pinned a device can time
    on it.
    """
    folder = Path(tempfile.gettempdir()) / f"learning-rate-study-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return FileLock(folder / f"{device}.lock", thread_local=False)
