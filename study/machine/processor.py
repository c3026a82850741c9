"""The processor of this machine, and how much of it this process may use."""

from __future__ import annotations

import math
import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from study.machine.facts import VECTORS, Processor


def usable_cores() -> int:
    """Processors that this process may use, by its affinity and its cgroup's quota, rounded up."""
    from joblib.externals.loky import (
        cpu_count,
    )  # joblib's own says 1 where it is told to start no processes

    return max(1, math.ceil(min(float(cpu_count()), quota())))


def quota(own: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> float:
    """Processors' worth of time that Linux's control groups, of either version, leave this process:
    the least of its group's and of the groups' above it; infinite where none is set.

    Args:
        own: the file that names the process's groups, a line `ID:CONTROLLERS:/PATH` each.
        mounted: where the groups' files are.
    """
    least = math.inf
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            root = (
                mounted
                if not controllers
                else mounted / "cpu"
                if "cpu" in controllers.split(",")
                else None
            )
            for group in (
                []
                if root is None
                else [root / path.lstrip("/"), *(root / path.lstrip("/")).parents]
            ):
                least = min(least, _quota_of(group))
                if group == root:
                    break
    return least


def _quota_of(group: Path) -> float:
    """A group's own quota: `cpu.max` holds it with its period (version 2), or a file each does
    (version 1); -1 and `max` are none.
    """
    with suppress(OSError, ValueError):
        allowed, period = (group / "cpu.max").read_text().split()
        return math.inf if allowed == "max" else int(allowed) / int(period)
    with suppress(OSError, ValueError):
        allowed, period = (
            (group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
        )
        return int(allowed) / int(period) if int(allowed) > 0 else math.inf
    return math.inf


def schedulable_cores() -> int:
    """Processors that the system may put this process on, whatever its cgroup's quota of their
    time.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_processor() -> Processor:
    """The processor that this process runs on."""
    # py-cpuinfo reads it there too, and takes more than a second for all that it asks besides.
    with suppress(OSError):
        found = processor_in(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
        if found:
            return found
    import cpuinfo

    facts = cpuinfo.get_cpu_info()
    model = [str(facts.get(name, "")) for name in ("family", "model", "stepping")]
    flags = set(facts.get("flags", ()))
    return Processor(
        facts.get("brand_raw") or platform.machine(),
        ".".join(model) if any(model) else platform.machine(),
        tuple(flag for flag in VECTORS if flag in flags),
    )


def processor_in(text: str) -> Processor | None:
    """The first processor of a `/proc/cpuinfo`; None where it names none, as on ARM."""
    facts = dict(re.findall(r"^([^\n:]+?)\s*: ?(.*?)\s*$", text.partition("\n\n")[0], re.MULTILINE))
    if not facts.get("model name"):
        return None
    model = [facts.get(name, "") for name in ("cpu family", "model", "stepping")]
    if not any(model):
        model = [facts.get(name, "") for name in ("CPU implementer", "CPU part", "CPU revision")]
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return Processor(
        facts["model name"], ".".join(model), tuple(flag for flag in VECTORS if flag in flags)
    )
