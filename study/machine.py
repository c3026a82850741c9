"""The machine that seconds belong to: hardware fingerprint, versions, commit."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from study.errors import StudyError

VECTORS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni"),
    *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "sve", "sve2", "bf16", "i8mm"),
)
"""The processor's flags that numerical libraries choose their kernels by: x86, then ARM."""

NAMED_VECTORS = {"avx512f": "avx512", "avx2": "avx2", "avx": "avx", "sve": "sve"}
"""The widest vectors that a machine's name tells, widest first."""


@dataclass(frozen=True)
class Processor:
    """What tells one kind of processor from another.

    `model` is family.model.stepping on x86, and implementer.part.revision on ARM; `vectors` are
    its flags out of `VECTORS`.
    """

    name: str
    model: str
    vectors: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """Facts about the hardware, as far as they bear on speed.

    `model` and `vectors` are those of `Processor`; both are empty in files that are older than
    they are, whose machines were told apart by the processor's name alone.
    """

    cpu: str
    cores: int
    memory_gb: int
    gpus: tuple[str, ...]
    system: str
    model: str = ""
    vectors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A folder name for a person to recognise: the GPU's name where there is one, else the CPU's, its vectors and its cores."""
        vectors = next((name for flag, name in NAMED_VECTORS.items() if flag in self.vectors), "")
        # A name without a number is that of a whole family: "AMD EPYC" may be any of ten kinds.
        model = "" if re.search(r"\d", re.sub("@.*", "", self.cpu)) else ".".join(self.model.split(".")[:2])
        text = f"{self.gpus[0]} x{len(self.gpus)}" if self.gpus else f"{self.cpu} {model} {vectors} {self.cores} cores"
        return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*ghz", " ", text.lower())).strip("-")[:60]

    @property
    def fingerprint(self) -> str:
        """8 hex digits of a hash of what decides its speed: processor with its model and vectors, cores, GPUs."""
        facts = (self.cpu, self.cores, self.gpus, *((self.model, self.vectors) if self.model else ()))
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]

    @property
    def old_fingerprint(self) -> str:
        """The fingerprint that older versions gave this machine and others whose processor has the same name."""
        return replace(self, model="", vectors=()).fingerprint

    def to_json(self) -> dict[str, Any]:
        """The facts with the name and fingerprint."""
        return {"name": self.name, "fingerprint": self.fingerprint, **asdict(self)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Machine:
        """The machine of `to_json`."""
        return Machine(
            cpu=row["cpu"],
            cores=row["cores"],
            memory_gb=row["memory_gb"],
            gpus=tuple(row["gpus"]),
            system=row["system"],
            model=row.get("model", ""),
            vectors=tuple(row.get("vectors", ())),
        )


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
    """An engine with its version, precision and settings, such as `tensorflow 2.21.0 float32 (oneDNN on)`; rows of older versions tell
    no settings."""
    told = [f"{words} {versions[name]}" for name, words in (("onednn", "oneDNN"), ("threads", "threads")) if name in versions]
    return f"{engine} {versions.get(engine, 'none')} {precision}" + (f" ({', '.join(told)})" if told else "")


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
    import psutil

    processor = this_processor()
    return Machine(
        cpu=processor.name,
        cores=usable_cores(),
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        gpus=gpus("name"),
        system=platform.system(),
        model=processor.model,
        vectors=processor.vectors,
    )


def usable_cores() -> int:
    """Processors that this process may use, by its affinity and its cgroup's quota, rounded up."""
    from joblib.externals.loky import cpu_count  # joblib's own says 1 where it is told to start no processes

    return max(1, math.ceil(min(float(cpu_count()), quota())))


def quota(own: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> float:
    """Processors' worth of time that Linux's control groups, of either version, leave this process: the least of its group's and of the
    groups' above it; infinite where none is set.

    Args:
        own: the file that names the process's groups, a line `ID:CONTROLLERS:/PATH` each.
        mounted: where the groups' files are.
    """
    least = math.inf
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            root = mounted if not controllers else mounted / "cpu" if "cpu" in controllers.split(",") else None
            for group in [] if root is None else [root / path.lstrip("/"), *(root / path.lstrip("/")).parents]:
                least = min(least, _quota_of(group))
                if group == root:
                    break
    return least


def _quota_of(group: Path) -> float:
    """A group's own quota: `cpu.max` holds it with its period (version 2), or a file each does (version 1); -1 and `max` are none."""
    with suppress(OSError, ValueError):
        allowed, period = (group / "cpu.max").read_text().split()
        return math.inf if allowed == "max" else int(allowed) / int(period)
    with suppress(OSError, ValueError):
        allowed, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(allowed) / int(period) if int(allowed) > 0 else math.inf
    return math.inf


def schedulable_cores() -> int:
    """Processors that the system may put this process on, whatever its cgroup's quota of their time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_processor() -> Processor:
    """The processor that this process runs on."""
    with suppress(OSError):  # py-cpuinfo, which reads it there too, takes more than a second for all that it asks besides
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
    """The first processor of a `/proc/cpuinfo`; None where the text does not name one, as on ARM."""
    facts = dict(re.findall(r"^([^\n:]+?)\s*: ?(.*?)\s*$", text.partition("\n\n")[0], re.MULTILINE))
    if not facts.get("model name"):
        return None
    model = [facts.get(name, "") for name in ("cpu family", "model", "stepping")]
    if not any(model):
        model = [facts.get(name, "") for name in ("CPU implementer", "CPU part", "CPU revision")]
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return Processor(facts["model name"], ".".join(model), tuple(flag for flag in VECTORS if flag in flags))


ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""Environment variable: may TensorFlow use oneDNN?"""

THREADS = {"tensorflow": "TF_NUM_INTRAOP_THREADS", "jax": "NPROC"}
"""Environment variables: how many threads does an operation get?"""


def settle_onednn() -> str | None:
    """Whether TensorFlow computes with oneDNN here, `on` or `off`; where nobody has decided, it is switched on for this process and
    those that it starts.

    TensorFlow alone leaves it off on x86 processors without AVX-512 VNNI, AVX-VNNI or AMX, where it is three times as fast as
    TensorFlow's own kernels all the same. None on other processors, where it is TensorFlow's to decide.
    """
    if platform.machine().lower() not in ("x86_64", "amd64") or platform.system() == "Darwin":
        return None
    if os.environ.get(ONEDNN, "").lower() not in ("0", "1", "false", "true"):
        os.environ[ONEDNN] = "1"
    on = os.environ[ONEDNN].lower() in ("1", "true")
    port = sys.modules.get("tensorflow.python.util._pywrap_util_port")
    if port is not None:  # TensorFlow may have been imported by the caller, before there was a decision
        on = bool(port.IsMklEnabled())
        os.environ[ONEDNN] = str(int(on))  # as the caller's, so that all processes compute alike
    return "on" if on else "off"


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
    settings = {"onednn": settle_onednn() if engine == "tensorflow" else None, "threads": os.environ.get(THREADS[engine])}
    found += [(name, value) for name, value in settings.items() if value]
    return (*found, ("study", _commit()))


def versions(engine: str = "tensorflow") -> dict[str, str]:
    """Versions of Python, of the packages that the engine's numbers depend on, of the GPU's driver where there is one, and the project's
    commit (its version where a wheel installed it); for TensorFlow also whether oneDNN is on, and the number of threads where it was
    set."""
    return dict(versions_of(engine))


def _commit() -> str:
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():  # installed: a repository around it would be somebody else's
        with suppress(PackageNotFoundError):
            return version("learning-rate-study")
        return "unknown"
    try:
        answer = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"
