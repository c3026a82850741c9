"""The memory that this process may fill."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path

from study.machine.nvidia import ask, gpus, visible
from study.machine.processor import groups

NO_LIMIT = 2**60
"""Bytes from which on a limit is none: version 1 of control groups writes a huge number for it."""


def free_memory() -> float:
    """Bytes that are free now: of the first visible GPU's memory, else of the machine's.

    On the machine the limits of Linux's control groups count, as of a container or a batch job.
    """
    import psutil

    rows = ask("memory.free") if gpus() else []
    free = re.match(r"\d+", "".join(rows[visible()[0]])) if rows else None
    if free:  # some virtual GPUs do not tell
        return float(free[0]) * 2**20
    return min(float(psutil.virtual_memory().available), left_of_groups())


def left_of_groups(
    own: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")
) -> float:
    """Bytes that this process's control groups, of either version, still allow.

    Args:
        own, mounted: as of `study.machine.processor.quota`.

    Returns:
        The least of its group and of all groups above it; infinite where none has a limit.
    """
    least = math.inf
    for group in groups("memory", own, mounted):
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            with suppress(OSError, ValueError):
                most = int((group / limit).read_text())  # `max` means none
                if most < NO_LIMIT:
                    taken = int((group / used).read_text()) - _cached(group / "memory.stat")
                    least = min(least, max(0, most - taken))
    return float(least)


def _cached(stat: Path) -> int:
    """Bytes of files in a group's memory, which the system gives up when others need them."""
    with suppress(OSError, ValueError):
        found = dict(line.split() for line in stat.read_text().splitlines())
        return int(found.get("inactive_file", found.get("total_inactive_file", 0)))
    return 0


def addresses() -> float:
    """Bytes that this process may address (`ulimit -v`); infinite where there is no limit."""
    with suppress(ImportError):  # Windows has no such limits
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return math.inf if limit == resource.RLIM_INFINITY else float(limit)
    return math.inf
