"""What a run may use: processes, memory, time."""

from __future__ import annotations

import math
import multiprocessing
import re
from dataclasses import dataclass
from typing import Any

from study.engines.learner import FEW_SIZES, LANE_SIZES
from study.errors import StudyError
from study.machine.facts import Machine, Site
from study.machine.memory import addresses, free_memory
from study.spec.program import is_program
from study.spec.study import StudySpec

PROBES = (4, 16, 64)
"""Array sizes whose speed is measured. Four times apart, so that noise seldom decides between two
of them.
"""


GPU_PROBES = (16, 96, 288)
"""Those of a GPU, which large arrays alone keep busy."""


USUAL_LANES = ((1e7, 16), (math.inf, 4))
"""Lanes of an array unless a measurement says otherwise, for networks of up to so many
multiply-adds: 16 for the compact network and its like, 4 for the tutorial network's.
"""


USUAL_NATIVE = 48
"""Lanes of an array of the native engine. A register takes as long with one lane as with all, so
that an array of several registers closes up as its lanes end.
"""


NATIVE_SIZES = (1, *range(16, 289, 16))
"""The sizes of its arrays: registers of AVX-512, filled."""


MEMORY_SHARE = 0.5
"""Share of the free memory that a study may fill unless told otherwise."""


PROCESS_BYTES = 1.2e9
"""What TensorFlow, its compiler and MNIST take in a process before the first array."""


ADDRESSES = 3.5e9
"""Addresses that such a process takes, most of them without memory behind them."""


@dataclass(frozen=True)
class Resources:
    """What a run may use: processes that train at the same time, bytes of memory for all of them
    together, and the seconds that an array may be expected to take; whether GPUs train; whether the
    model is the user's own, and whether its lanes train one after another; and what trains arrays,
    where it is not the engine whose step times count.
    """

    jobs: int
    memory: float
    patience: float = math.inf
    gpu: bool = False
    own: bool = False
    apart: bool = False
    arrays: str = ""

    @property
    def usual(self) -> int | None:
        """The usual size of an array, where it is the same for all networks."""
        return USUAL_NATIVE if self.arrays else None

    @property
    def probes(self) -> tuple[int, ...]:
        """The array sizes to measure."""
        if self.own:
            return (1, *PROBES)
        if self.arrays:
            return (USUAL_NATIVE,)
        return GPU_PROBES if self.gpu else PROBES

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that arrays may have."""
        if self.apart:
            return (1,)
        if self.arrays:
            return NATIVE_SIZES
        return FEW_SIZES if self.gpu else LANE_SIZES


@dataclass(frozen=True)
class Crew:
    """Workers on machines of one kind, and what they may use together."""

    site: Site
    use: Resources


def resources(
    spec: StudySpec,
    pending: int,
    machine: Machine,
    jobs: int | None = None,
    memory: float | None = None,
) -> Resources:
    """What a run of so many pending trials may use, by the machine where the user does not say.

    On a CPU several processes of few threads train arrays faster than one process of all threads:
    nothing waits for the slowest thread. A GPU takes one, and so do trials timed alone.
    """
    own = own_of(spec)
    apart = own.get("apart", False)
    budget = memory if memory is not None else MEMORY_SHARE * free_memory()
    beyond = addresses() - ADDRESSES
    program = is_program(spec.network)
    if beyond < 0 and not program:
        raise StudyError(
            f"a process may address {addresses() / 1e9:.2g} GB here (ulimit -v), and a framework "
            f"takes {ADDRESSES / 1e9:g} GB before its first array: raise the limit"
        )
    if jobs is None:
        lanes = 1 if apart else USUAL_LANES[0][1]
        arrays = 1 if spec.mode == "alone" else math.ceil(pending / lanes)
        jobs = max(
            1, min(len(machine.gpus) or min(machine.cores, int(budget / PROCESS_BYTES) - 1), arrays)
        )
        jobs = jobs if may_start_processes() else 1
    elif jobs > 1 and not may_start_processes():
        why = (
            "this process is a daemonic one, as those of multiprocessing.Pool, and may have no "
            "children"
            if multiprocessing.current_process().daemon
            else "joblib may start no processes here (JOBLIB_MULTIPROCESSING=0, or no semaphores)"
        )
        raise StudyError(f"workers {jobs}: {why}, so it must be 1")
    if memory is not None and memory < PROCESS_BYTES and not machine.gpus and not program:
        least = PROCESS_BYTES / 1e9
        raise StudyError(
            f"memory {memory / 1e9:g}GB is less than the {least:g}GB that one process takes "
            "before its first array"
        )
    if machine.gpus and jobs > len(machine.gpus):
        raise StudyError(
            f"workers {jobs}: this machine has {len(machine.gpus)} GPUs, and each takes one worker"
        )
    if jobs > 1 and len(set(machine.gpus)) > 1:
        raise StudyError(
            f"the GPUs differ ({', '.join(machine.gpus)}), and seconds would not compare: "
            "choose one with --device gpu:N"
        )
    budget = min(budget, jobs * (beyond + PROCESS_BYTES))
    if machine.gpus:
        together = budget * jobs if memory is None else budget
        return Resources(jobs, together, gpu=True, **own)
    return Resources(jobs, budget, **own)


def own_of(spec: StudySpec) -> dict[str, Any]:
    """What `Resources` say of the user's own model; nothing for a built-in network."""
    return {} if spec.own is None else {"own": True, "apart": not spec.own.together}


def may_start_processes() -> bool:
    """Whether joblib may start processes here: it may not where the system has no semaphores, the
    user forbids it, or this process is daemonic itself.
    """
    import joblib

    if multiprocessing.current_process().daemon:
        return False
    return bool(joblib.effective_n_jobs(2) > 1)


def parse_memory(text: str) -> float:
    """Bytes from `8GB`, `512MB` or a plain number of gigabytes.

    Raises:
        StudyError: not such a text.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(tb?|gb?|mb?)?\s*", text.lower())
    if not found or float(found[1]) <= 0:
        raise StudyError(f"memory {text!r} must be a size such as 8GB or 512MB")
    return float(found[1]) * {"m": 1e6, "g": 1e9, "t": 1e12}[(found[2] or "g")[0]]
