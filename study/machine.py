"""The machine that seconds belong to: hardware fingerprint, versions, commit."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from study.errors import StudyError


@dataclass(frozen=True)
class Machine:
    """Facts about the hardware, as far as they bear on speed."""

    cpu: str
    cores: int
    memory_gb: int
    gpus: tuple[str, ...]
    system: str

    @property
    def name(self) -> str:
        """A folder name for a person to recognise: the GPU's name where there is one, else the CPU's and its cores."""
        text = f"{self.gpus[0]} x{len(self.gpus)}" if self.gpus else f"{self.cpu} {self.cores} cores"
        return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*ghz", " ", text.lower())).strip("-")[:60]

    @property
    def fingerprint(self) -> str:
        """8 hex digits of a hash of what decides its speed: processor, cores, GPUs."""
        return hashlib.sha256(repr((self.cpu, self.cores, self.gpus)).encode()).hexdigest()[:8]

    def to_json(self) -> dict[str, Any]:
        """The facts with the name and fingerprint."""
        return {"name": self.name, "fingerprint": self.fingerprint, **asdict(self)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Machine:
        """The machine of `to_json`."""
        facts = {f.name: row[f.name] for f in fields(Machine)}
        return Machine(**{**facts, "gpus": tuple(facts["gpus"])})


@dataclass(frozen=True)
class Site:
    """Where trials train: a machine, the engine and its precision, and the versions of what their numbers depend on."""

    machine: Machine
    versions: Mapping[str, str]
    engine: str = "tensorflow"
    precision: str = "float32"

    @property
    def software(self) -> str:
        """The engine with its version and precision."""
        return software(self.engine, self.versions, self.precision)

    @property
    def kind(self) -> tuple[str, str]:
        """What step times depend on: the machine's fingerprint and the software."""
        return self.machine.fingerprint, self.software


def software(engine: str, versions: Mapping[str, str], precision: str) -> str:
    """An engine with its version and precision, such as `tensorflow 2.21.0 float32`."""
    return f"{engine} {versions.get(engine, 'none')} {precision}"


def this_site(engine: str = "tensorflow", precision: str = "default") -> Site:
    """This process's, with that engine."""
    return Site(this_machine(), versions(engine), engine, resolved(precision))


def resolved(precision: str) -> str:
    """What `default` is here, or the precision itself. Both engines' default is TF32 on GPUs that have it (compute capability 8 and up:
    products of numbers cut to 10 bits of mantissa, summed in float32), and float32 elsewhere.

    Raises:
        StudyError: TF32 where no GPU has it.
    """
    capable = [bool(re.match(r"[89]\.|\d\d+\.", capability)) for capability in gpus("compute_cap")]
    if precision == "tf32" and not (capable and all(capable)):
        raise StudyError("the precision tf32 needs a GPU of compute capability 8 or higher: use float32")
    return precision if precision != "default" else "tf32" if capable and all(capable) else "float32"


@cache
def this_machine() -> Machine:
    """The machine this process runs on."""
    import joblib
    import psutil

    return Machine(
        cpu=_processor(),
        cores=joblib.cpu_count(),
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        gpus=gpus("name"),
        system=platform.system(),
    )


def _processor() -> str:
    """The processor's name for itself."""
    with suppress(OSError):  # py-cpuinfo, which reads it there too, takes more than a second for all that it asks besides
        found = re.search(
            r"^model name\s*:\s*(\S.*?)\s*$", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"), re.MULTILINE
        )
        if found:
            return found[1]
    import cpuinfo

    return cpuinfo.get_cpu_info().get("brand_raw") or platform.machine()


def free_memory() -> float:
    """Bytes of memory that are free now: of the first GPU where there is one, else of the machine."""
    import psutil

    free = re.match(r"\d+", "".join(gpus("memory.free")[:1]))  # some virtual GPUs do not tell
    return float(free[0]) * 2**20 if free else float(psutil.virtual_memory().available)


def ask_gpus(what: str) -> tuple[str, ...]:
    """A property of each NVIDIA GPU, asked of the driver so that no framework has to be imported; empty without one."""
    try:
        answer = subprocess.run(["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip()) if answer.returncode == 0 else ()


def visible() -> list[int]:
    """Places of the GPUs that CUDA shows this process, in its order, among all of the machine's."""
    every = [line for line in ask_gpus("uuid") if line.startswith("GPU-")]
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(len(every)))
    found: list[int] = []
    for name in named.split(","):
        name = name.strip()
        match = [i for i, gpu in enumerate(every) if (name == str(i) if name.isdigit() else name and gpu.startswith(name))]
        if not match:
            break  # as CUDA does: what follows a name of nothing is not seen
        found.append(match[0])
    return found


def gpus(what: str) -> tuple[str, ...]:
    """A property of each GPU that this process can see."""
    values = ask_gpus(what)
    return tuple(values[i] for i in visible() if i < len(values))


PACKAGES = {"tensorflow": ("tensorflow", "keras", "numpy"), "jax": ("jax", "jaxlib", "numpy")}


@cache
def versions_of(engine: str) -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for package in PACKAGES[engine]:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    found += [("driver", driver) for driver in gpus("driver_version")[:1]]
    return (*found, ("study", _commit()))


def versions(engine: str = "tensorflow") -> dict[str, str]:
    """Versions of Python, of the packages that the engine's numbers depend on, of the GPU's driver where there is one, and the project's
    commit (`unknown` outside a repository)."""
    return dict(versions_of(engine))


def _commit() -> str:
    root = Path(__file__).parent.parent
    try:
        answer = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"
