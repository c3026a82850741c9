"""The machine that seconds belong to, and where trials train: facts alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

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
        """A folder name for a person to recognise: the GPU's name where there is one, else the
        CPU's, its vectors and its cores.
        """
        vectors = next((name for flag, name in NAMED_VECTORS.items() if flag in self.vectors), "")
        # A name without a number is that of a whole family: "AMD EPYC" may be any of ten kinds.
        model = (
            ""
            if re.search(r"\d", re.sub("@.*", "", self.cpu))
            else ".".join(self.model.split(".")[:2])
        )
        text = (
            f"{self.gpus[0]} x{len(self.gpus)}"
            if self.gpus
            else f"{self.cpu} {model} {vectors} {self.cores} cores"
        )
        return re.sub(
            r"[^a-z0-9]+",
            "-",
            re.sub(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*ghz", " ", text.lower()),
        ).strip("-")[:60]

    @property
    def fingerprint(self) -> str:
        """8 hex digits of a hash of what decides its speed: processor with its model and vectors,
        cores, GPUs.
        """
        facts = (
            self.cpu,
            self.cores,
            self.gpus,
            *((self.model, self.vectors) if self.model else ()),
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]

    @property
    def old_fingerprint(self) -> str:
        """The fingerprint that older versions gave this machine and others whose processor has the
        same name.
        """
        return replace(self, model="", vectors=()).fingerprint

    def to_json(self) -> dict[str, Any]:
        """The facts with the name and fingerprint."""
        return {"name": self.name, "fingerprint": self.fingerprint, **asdict(self)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Machine:
        """The machine of `to_json`; a field of the wrong type raises `msgspec.ValidationError`."""
        return msgspec.convert(row, Machine)


@dataclass(frozen=True)
class Site:
    """Where trials train: a machine, the engine and its precision, and the versions of what their
    numbers depend on.
    """

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
    """An engine with its version, precision and settings, such as `tensorflow 2.21.0 float32
    (oneDNN on)`; rows of older versions tell no settings.
    """
    told = [
        f"{words} {versions[name]}"
        for name, words in (("onednn", "oneDNN"), ("threads", "threads"))
        if name in versions
    ]
    return f"{engine} {versions.get(engine, 'none')} {precision}" + (
        f" ({', '.join(told)})" if told else ""
    )
