"""The vector registers of this processor, and how many results a loop keeps in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import halide as hl
import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes of a register of AVX-512, and of a line of the cache."""


FLOAT, BYTE = hl.Float(32), hl.UInt(8)


@dataclass(frozen=True)
class Registers:
    """What a loop may fill.

    Args:
        lanes: floats in a register: 4 (NEON, SSE), 8 (AVX2) or 16 (AVX-512). As many lanes train
            side by side, one in each place.
        sums: results that a loop keeps in registers. The others hold what is multiplied.
        least: lanes that are left train in so many places. Half a register of AVX-512 takes half
            the time where the processor computes it in halves, and never longer than a whole one.
    """

    lanes: int
    sums: int
    least: int


@cache
def target() -> Any:
    """The processor as Halide sees it; `HL_JIT_TARGET` names another that this one can run."""
    return hl.get_jit_target_from_environment()


@cache
def registers() -> Registers:
    """The registers of `target`: 32 with AVX-512 and NEON, 16 else."""
    lanes = target().natural_vector_size(FLOAT)
    many = lanes == 16 or target().arch == hl.TargetArch.ARM
    return Registers(lanes, 20 if many else 10, 8 if lanes == 16 else lanes)


def zeros(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
    """Zeros at an address where a register begins.

    Halide relies on it where an index is constant; and a load that crosses two lines of the cache
    is slower.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % ALIGNMENT
    found: NDArray[Any] = raw[begin : begin + size].view(dtype).reshape(shape)
    return found


def placed(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of an array at such an address, its last axis innermost."""
    copy = zeros(*array.shape, dtype=array.dtype)
    copy[...] = array
    return copy


def tile(count: int, most: int) -> int:
    """The largest divisor of `count` that is at most `most`.

    >>> tile(15, 4), tile(7, 4)
    (3, 1)
    """
    return max(size for size in range(1, max(1, most) + 1) if count % size == 0)
