"""Facts about the machine that trained, and about the site of a training."""

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
"""Flags of a processor by which numerical libraries choose their kernels: x86, then ARM."""


NAMED_VECTORS = {"avx512f": "avx512", "avx2": "avx2", "avx": "avx", "sve": "sve"}
"""Vectors that the name of a machine may contain, widest first."""


@dataclass(frozen=True)
class Processor:
    """What distinguishes one kind of processor from another.

    Args:
        name: as the maker gives it.
        model: family.model.stepping on x86, implementer.part.revision on ARM.
        vectors: its flags out of `VECTORS`.
    """

    name: str
    model: str
    vectors: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """Facts about the hardware that decide its speed.

    Args:
        cpu: the name of the processor.
        cores: processors that the study may use.
        memory_gb: memory, in GiB.
        gpus: the names of the GPUs.
        system: the operating system.
        model, vectors: as in `Processor`; empty in older files, which distinguish machines by the
            name of the processor alone.
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
        """A folder name that a person recognises.

        It is the name of the GPU where there is one, else that of the processor with its vectors
        and cores.
        """
        vectors = next((name for flag, name in NAMED_VECTORS.items() if flag in self.vectors), "")
        # A name without a number is that of a family: "AMD EPYC" may be any of ten kinds.
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
        """8 hex digits of a hash of the processor with its model and vectors, cores and GPUs."""
        facts = (
            self.cpu,
            self.cores,
            self.gpus,
            *((self.model, self.vectors) if self.model else ()),
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]

    @property
    def old_fingerprint(self) -> str:
        """The fingerprint in older files; all machines with a processor of this name share it."""
        return replace(self, model="", vectors=()).fingerprint

    def to_json(self) -> dict[str, Any]:
        """The facts with the name and fingerprint."""
        return {"name": self.name, "fingerprint": self.fingerprint, **asdict(self)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Machine:
        """The machine of `to_json`; a field of the wrong type raises `msgspec.ValidationError`."""
        return msgspec.convert(row, Machine)


Kind = tuple[str, str]
"""What step times depend on: a machine's fingerprint, and engine, version and precision."""


@dataclass(frozen=True)
class Site:
    """Where trials train.

    Args:
        machine: the hardware.
        versions: of all that numbers depend on, by name.
        engine: its name.
        precision: of its matrix products.
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
    def kind(self) -> Kind:
        """What step times depend on: the machine's fingerprint and the software."""
        return self.machine.fingerprint, self.software


def software(engine: str, versions: Mapping[str, str], precision: str) -> str:
    """An engine with its version, precision and settings.

    Args:
        engine: its name.
        versions: as in `Site`; those of older rows hold no settings.
        precision: of its matrix products.

    >>> software("tensorflow", {"tensorflow": "2.21.0", "onednn": "on"}, "float32")
    'tensorflow 2.21.0 float32 (oneDNN on)'
    """
    if engine in ("program", "unknown"):  # of which nothing is known
        return engine
    told = [
        f"{words} {versions[name]}"
        for name, words in (("onednn", "oneDNN"), ("threads", "threads"))
        if name in versions
    ]
    return f"{engine} {versions.get(engine, 'none')} {precision}" + (
        f" ({', '.join(told)})" if told else ""
    )
