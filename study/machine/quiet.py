"""The load of the machine: what other programs take of its processors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from study.machine.processor import usable_cores

QUIET_SHARE = 0.1
"""Largest share of its cores that other programs take on a quiet machine."""


QUIET_CORES = 0.5
"""Largest number of cores that other programs take on a quiet machine."""


LOOK = 2.0
"""Seconds between two looks at a machine that is not quiet yet."""


@dataclass(frozen=True)
class Load:
    """The load of a machine over some time.

    Args:
        cores: processors that this study may use.
        processor: how many of them the processes of this study kept busy, on average.
        others: how many of them other programs took, on average, time of a hypervisor included.
        pressure: share of the time in which some program waited for a processor (Linux's PSI), or
            None where the system does not measure it.
    """

    cores: int
    processor: float
    others: float
    pressure: float | None

    @property
    def quiet(self) -> bool:
        """Whether the study had the machine nearly to itself."""
        return self.others <= min(QUIET_SHARE * self.cores, QUIET_CORES)

    def __str__(self) -> str:
        return f"other programs took {self.others:.1f} of its {self.cores} cores"


class Meter:
    """Measures the load between its creation or last `read` and the next `read`.

    Args:
        family: the id of a process. Its time and that of its descendants count as the study's own.
            None means this process.
    """

    def __init__(self, family: int | None = None) -> None:
        self.family = os.getpid() if family is None else family
        self.cores = usable_cores()
        self._before = self._now()

    def read(self) -> Load:
        """The load since the last reading."""
        before, self._before = self._before, self._now()
        wall, busy, own = (
            now - then for now, then in zip(self._before[:3], before[:3], strict=True)
        )
        wall, own = max(wall, 1e-9), max(own, 0.0)
        waited = (
            None if before[3] is None or self._before[3] is None else self._before[3] - before[3]
        )
        pressure = None if waited is None else min(1.0, waited / wall)
        return Load(self.cores, own / wall, max(0.0, (busy - own) / wall), pressure)

    def _now(self) -> tuple[float, float, float, float | None]:
        return time.monotonic(), _busy(), _taken_by(self.family), _waited()


def _busy() -> float:
    """Seconds in which the usable processors were busy, or were taken by a hypervisor."""
    every = psutil.cpu_times(percpu=True)
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(every))
    fields = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    return sum(
        getattr(every[core], name, 0.0) for core in own if core < len(every) for name in fields
    )


def _taken_by(family: int) -> float:
    """Seconds of processor time of a process and its descendants, living or awaited."""
    taken = 0.0
    with suppress(psutil.Error):
        parent = psutil.Process(family)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                taken += times.user + times.system
                taken += getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    return taken


def _waited() -> float | None:
    """Seconds in which some program waited for a processor, since the machine's start."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/pressure/cpu").read_text().split("total=")[1].split()[0]) / 1e6
    return None


def wait_until_quiet(
    most: float,
    say: Callable[[str], object] = lambda sentence: None,
    meter: Meter | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Load | None:
    """Wait until the machine is quiet, for at most `most` seconds.

    Args:
        most: the limit, in seconds.
        say: called after each look with a sentence about the load.
        meter: measures the load.
        sleep: waits for the seconds that it is given.

    Returns:
        The last load seen; None where the limit left no time for a look.
    """
    meter = meter or Meter()
    load, waited = None, 0.0
    while waited < most:
        sleep(LOOK)
        waited += LOOK
        load = meter.read()
        if load.quiet:
            break
        say(f"waiting for a quiet machine: {load}")
    return load
