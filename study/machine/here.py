"""This machine, and this process as a site of training."""

from __future__ import annotations

import platform
from functools import cache

from study.machine.facts import Machine, Site
from study.machine.nvidia import gpus, resolved
from study.machine.processor import this_processor, usable_cores
from study.machine.versions import versions


def this_site(engine: str = "tensorflow", precision: str = "default") -> Site:
    """The site of this process with an engine.

    Args:
        engine: its name.
        precision: as `study.machine.nvidia.resolved` takes it.
    """
    return Site(this_machine(), versions(engine), engine, resolved(precision))


@cache
def this_machine() -> Machine:
    """The machine that this process runs on, with the GPUs that it can see."""
    import psutil

    processor = this_processor()
    return Machine(
        cpu=processor.name,
        cores=usable_cores(),
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        gpus=tuple(gpu.name for gpu in gpus()),
        system=platform.system(),
        model=processor.model,
        vectors=processor.vectors,
    )
