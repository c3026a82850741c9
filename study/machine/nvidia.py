"""The GPUs of this machine, asked of their driver."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache

from study.errors import StudyError
from study.machine.programs import answer_of


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver describes it; old drivers do not know `compute_capability`."""

    uuid: str
    name: str
    driver: str
    compute_capability: str = ""

    @property
    def has_tf32(self) -> bool:
        """Whether it multiplies in TF32: from compute capability 8 on."""
        return bool(re.match(r"[89]\.|\d\d+\.", self.compute_capability))


def ask(*properties: str) -> list[list[str]]:
    """Ask nvidia-smi for properties of every GPU, so that no framework has to be imported.

    Args:
        properties: names as `nvidia-smi --help-query-gpu` lists them.

    Returns:
        A row of values for each GPU; no row where the program is missing or fails.
    """
    answer = answer_of(
        ["nvidia-smi", f"--query-gpu={','.join(properties)}", "--format=csv,noheader"]
    )
    lines = (answer or "").splitlines()
    return [[value.strip() for value in line.split(",")] for line in lines if line.strip()]


@cache
def every_gpu() -> tuple[Gpu, ...]:
    """The GPUs of the machine in the order of its buses; the driver is asked once a process."""
    facts = ("uuid", "name", "driver_version")
    rows = ask(*facts, "compute_cap") or ask(*facts)
    return tuple(Gpu(*row) for row in rows if row[0].startswith("GPU-"))


def visible() -> list[int]:
    """The indices into `every_gpu` that CUDA shows this process, in CUDA's order."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(len(every_gpu())))
    found: list[int] = []
    for name in named.split(","):
        name = name.strip()
        match = [
            i
            for i, gpu in enumerate(every_gpu())
            if (name == str(i) if name.isdigit() else name and gpu.uuid.startswith(name))
        ]
        if not match:
            break  # CUDA too ignores all that follows an unknown name
        found.append(match[0])
    return found


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process can see."""
    return tuple(every_gpu()[i] for i in visible())


def resolved(precision: str) -> str:
    """The precision that `default` stands for here; any other precision is returned as it is.

    Both engines' default is TF32 on GPUs that have it, and float32 elsewhere. TF32 cuts the factors
    of products to 10 bits of mantissa, and sums in float32.

    Raises:
        StudyError: `tf32`, and some visible GPU lacks it, or no GPU is visible.
    """
    capable = bool(gpus()) and all(gpu.has_tf32 for gpu in gpus())
    if precision == "tf32" and not capable:
        raise StudyError(
            "the precision tf32 needs a GPU of compute capability 8 or higher: use float32"
        )
    return precision if precision != "default" else "tf32" if capable else "float32"
