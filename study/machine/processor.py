"""The processor of this machine, and the part of it that this process may use."""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from study.machine.facts import VECTORS, Processor


def usable_cores() -> int:
    """Processors that this process may use, by its affinity and its quota of time, rounded up."""
    # joblib's own function returns 1 where joblib is told to start no processes.
    from joblib.externals.loky import cpu_count

    return max(1, math.ceil(min(float(cpu_count()), quota())))


def quota(own: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> float:
    """The quota of processor time that Linux's control groups, of either version, set.

    Args:
        own: the file that names the groups of the process, a line `ID:CONTROLLERS:/PATH` each.
        mounted: the folder of the groups' files.

    Returns:
        A number of processors: the smallest quota of its group and of all groups above it; infinite
        where none is set.
    """
    return min(map(_quota_of, groups("cpu", own, mounted)), default=math.inf)


def groups(controller: str, own: Path, mounted: Path) -> Iterator[Path]:
    """The folders of the control groups of this process, of either version, each with those above.

    Args:
        controller: `cpu` or `memory`; version 1 has a tree for each.
        own, mounted: as of `quota`.
    """
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root = mounted / controller if controllers else mounted
            mine = root / path.lstrip("/")
            for group in (mine, *mine.parents):
                yield group
                if group == root:
                    break


def _quota_of(group: Path) -> float:
    """The quota of one group, in processors.

    Version 2 has quota and period in `cpu.max`, version 1 in a file each. `max` and -1 mean none.
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
    """Processors that the system may put this process on, whatever its quota of their time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_processor() -> Processor:
    """The processor that this process runs on."""
    # py-cpuinfo reads the same file, but takes more than a second for other questions.
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
    """The first processor of a `/proc/cpuinfo`; None where it has no name, as on ARM."""
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
