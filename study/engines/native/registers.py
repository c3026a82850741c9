"""The vector registers of this processor, and how many results a loop keeps in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import halide as hl

FLOAT, BYTE = hl.Float(32), hl.UInt(8)


@dataclass(frozen=True)
class Registers:
    """What a loop may fill.

    Args:
        lanes: floats in a register: 4 (NEON, SSE), 8 (AVX2) or 16 (AVX-512). As many lanes train
            side by side, one in each place.
        sums: results that a loop keeps in registers. The others hold what is multiplied.
    """

    lanes: int
    sums: int


@cache
def target() -> Any:
    """The processor as Halide sees it; `HL_JIT_TARGET` names another that this one can run."""
    return hl.get_jit_target_from_environment().with_feature(hl.TargetFeature.NoAsserts)


@cache
def registers() -> Registers:
    """The registers of `target`: 32 with AVX-512 and NEON, 16 else."""
    lanes = target().natural_vector_size(FLOAT)
    many = lanes == 16 or target().arch == hl.TargetArch.ARM
    return Registers(lanes, 20 if many else 10)


def tile(count: int, most: int) -> int:
    """The largest divisor of `count` that is at most `most`.

    >>> tile(15, 4), tile(7, 4)
    (3, 1)
    """
    return max(size for size in range(1, max(1, most) + 1) if count % size == 0)
