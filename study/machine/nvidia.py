"""The GPUs of this machine, asked of their driver."""

from __future__ import annotations

import os
import re
import subprocess

from study.errors import StudyError


def resolved(precision: str) -> str:
    """What `default` is here, or the precision itself. Both engines' default is TF32 on GPUs that
    have it (compute capability 8 and up: products of numbers cut to 10 bits of mantissa, summed in
    float32), and float32 elsewhere.

    Raises:
        StudyError: TF32 where no GPU has it.
    """
    capable = [bool(re.match(r"[89]\.|\d\d+\.", capability)) for capability in gpus("compute_cap")]
    if precision == "tf32" and not (capable and all(capable)):
        raise StudyError(
            "the precision tf32 needs a GPU of compute capability 8 or higher: use float32"
        )
    return (
        precision if precision != "default" else "tf32" if capable and all(capable) else "float32"
    )


def free_memory() -> float:
    """Bytes of memory that are free now, of the first GPU or else of the machine."""
    import psutil

    free = re.match(r"\d+", "".join(gpus("memory.free")[:1]))  # some virtual GPUs do not tell
    return float(free[0]) * 2**20 if free else float(psutil.virtual_memory().available)


def ask_gpus(what: str) -> tuple[str, ...]:
    """A property of each NVIDIA GPU, asked of the driver so that no framework has to be imported;
    empty without one.
    """
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return (
        tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())
        if answer.returncode == 0
        else ()
    )


def visible() -> list[int]:
    """Places of the GPUs that CUDA shows this process, in its order, among all of the machine's."""
    every = [line for line in ask_gpus("uuid") if line.startswith("GPU-")]
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(len(every)))
    found: list[int] = []
    for name in named.split(","):
        name = name.strip()
        match = [
            i
            for i, gpu in enumerate(every)
            if (name == str(i) if name.isdigit() else name and gpu.startswith(name))
        ]
        if not match:
            break  # as CUDA does: what follows a name of nothing is not seen
        found.append(match[0])
    return found


def gpus(what: str) -> tuple[str, ...]:
    """A property of each GPU that this process can see."""
    values = ask_gpus(what)
    return tuple(values[i] for i in visible() if i < len(values))
