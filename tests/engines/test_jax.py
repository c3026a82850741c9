"""JAX's programs, which XLA compiles for one length each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from study.engines import jax as tensors_jax
from study.engines.lanes import DeviceImages, Lanes
from study.engines.programs import training_program
from support.engines.images import images
from support.engines.lanes import COMPACT

pytestmark = pytest.mark.slow


def test_jax_compiles_one_program_for_all_lengths() -> None:
    """Longer calls are taken in pieces, so that nothing is compiled while the clock runs; bit for
    bit.
    """
    array = [replace(COMPACT.trials()[0], learning_rate=0.05)]
    tensors_jax.prepare("float32")
    device = DeviceImages.of(images(), tensors_jax)
    first, second = (Lanes(array, device) for _ in range(2))
    first.prepare()
    program = training_program(tensors_jax, first.network, 1, 50, "published", ("sgd",), first.form)
    compiled = program._cache_size()
    whole, _ = first.advance(np.full((150, 1), 0.05))
    assert program._cache_size() == compiled == 1
    assert np.array_equal(
        whole, np.concatenate([second.advance(np.full((75, 1), 0.05))[0] for _ in range(2)])
    )
