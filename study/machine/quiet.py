"""How free the machine was over a stretch of time: what other programs took of its processors."""

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


QUIET_CORES = 0.5
"""A machine is quiet while other programs take at most this share of its cores, and no more than
this many of them."""


LOOK = 2.0
"""Seconds of one look at a machine that is waited for."""


@dataclass(frozen=True)
class Load:
    """What a stretch of time on a machine was like.

    Args:
        cores: processors that this study may use.
        processor: how many of them its processes kept busy, on average.
        others: how many of them other programs took, on average; what a hypervisor kept counts.
        pressure: share of the time in which some program waited for a processor, where Linux
            tells it (PSI), else None.
    """

    cores: int
    processor: float
    others: float
    pressure: float | None

    @property
    def quiet(self) -> bool:
        """Whether the machine was as good as free for the study alone."""
        return self.others <= min(QUIET_SHARE * self.cores, QUIET_CORES)

    def __str__(self) -> str:
        return f"other programs took {self.others:.1f} of its {self.cores} cores"


class Meter:
    """Measures the load from its creation, or the last `read`, to the next `read`.

    Args:
        family: the id of the process whose own time, and whose descendants', is not the others';
            this process's where None.
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
    """Seconds that the processors which this process may use have been busy, or were kept by a
    hypervisor.
    """
    every = psutil.cpu_times(percpu=True)
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(every))
    fields = ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    return sum(
        getattr(every[core], name, 0.0) for core in own if core < len(every) for name in fields
    )


def _taken_by(family: int) -> float:
    """Seconds of processor that a process and its living descendants have taken."""
    taken = 0.0
    with suppress(psutil.Error):
        parent = psutil.Process(family)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                taken += times.user + times.system
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
    """Wait for a quiet machine, at most so many seconds; return the last look at it, None where
    there was no time for one.

    Args:
        most: seconds.
        say: told at each look how busy the machine is.
        meter: measures the load.
        sleep: waits for so many seconds.
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
