"""Registers of every width that this processor has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

CODE = """
import json, sys
import numpy as np
from study.engines.native.lanes import NativeLanes
from study.engines.native.registers import registers
from study.spec.study import StudySpec
from support.engines.images import images
spec = StudySpec(rates=(0.01,), batch=50, max_steps=10**6, optimizers=("sgd", "adam"))
lanes = NativeLanes(spec.trials(), images())
losses, _ = lanes.advance(np.tile([0.05, 0.001], (20, 1)))
found = [registers().lanes, losses.tolist(), lanes.evaluate().tolist()]
print(json.dumps(found))
"""

TARGETS = {
    4: "x86-64-linux-sse41",
    8: "x86-64-linux-sse41-avx-f16c-fma-avx2",
    16: "x86-64-linux-sse41-avx-f16c-fma-avx2-avx512-avx512_skylake",
}


@cache
def lanes_at(target: str) -> tuple[int, list[list[float]], list[float]]:
    """Lanes in a register, losses and accuracies, where lanes train on this target."""
    environment = {**os.environ, "HL_JIT_TARGET": target, "PYTHONPATH": ".:tests"}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lanes, losses, accuracies = json.loads(done.stdout.splitlines()[-1])
    return lanes, losses, accuracies


@pytest.mark.parametrize("lanes", TARGETS)
def test_lanes_of_every_width_train_alike(lanes: int) -> None:
    """Two lanes in registers of 4, 8 and 16 places have the losses of this processor's own."""
    from study.engines.native.registers import target

    if sys.platform != "linux" or target().natural_vector_size(_float()) < lanes:
        pytest.skip(f"this processor has no registers of {lanes} floats that are told so")
    found, losses, accuracies = lanes_at(TARGETS[lanes])
    assert found == lanes
    _, expected, right = lanes_at(str(target()))
    assert np.array(losses) == pytest.approx(np.array(expected), abs=1e-3)
    assert accuracies == pytest.approx(right, abs=0.02)


def _float() -> object:
    import halide

    return halide.Float(32)


@given(st.integers(1, 400), st.integers(1, 20))
def test_a_tile_is_the_largest_divisor_that_fits(count: int, most: int) -> None:
    """Nothing else between it and `most` divides the count."""
    from study.engines.native.registers import tile

    size = tile(count, most)
    assert count % size == 0
    assert 1 <= size <= most
    assert all(count % other for other in range(size + 1, most + 1))
