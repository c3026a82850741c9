"""The machine that seconds belong to: hardware fingerprint, versions, commit."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


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
    """Where trials train: a machine, and the versions of what their numbers depend on."""

    machine: Machine
    versions: Mapping[str, str]

    @property
    def kind(self) -> tuple[str, str]:
        """What step times depend on: the machine's fingerprint and the version of TensorFlow."""
        return self.machine.fingerprint, self.versions.get("tensorflow", "none")


def this_site() -> Site:
    """This process's."""
    return Site(this_machine(), versions())


@cache
def this_machine() -> Machine:
    """The machine this process runs on."""
    import cpuinfo
    import joblib
    import psutil

    return Machine(
        cpu=cpuinfo.get_cpu_info().get("brand_raw") or platform.machine(),
        cores=joblib.cpu_count(),
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        gpus=ask_gpus("name"),
        system=platform.system(),
    )


def free_memory() -> float:
    """Bytes of memory that are free now: of the first GPU where there is one, else of the machine."""
    import psutil

    free = ask_gpus("memory.free")
    return float(free[0].split()[0]) * 2**20 if free else float(psutil.virtual_memory().available)


def ask_gpus(what: str) -> tuple[str, ...]:
    """A property of each NVIDIA GPU, asked of the driver so that no framework has to be imported; empty without one."""
    try:
        answer = subprocess.run(["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip()) if answer.returncode == 0 else ()


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for package in ("tensorflow", "keras", "numpy"):
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return (*found, ("study", _commit()))


def versions() -> dict[str, str]:
    """Versions of Python, of the packages that numbers depend on, and the project's commit (`unknown` outside a repository)."""
    return dict(_versions())


def _commit() -> str:
    root = Path(__file__).parent.parent
    try:
        answer = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"
