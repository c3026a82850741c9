"""The digest of a Keras model tells it from another, and from no copy of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from study.engines.own.code import Code
from study.engines.own.engine import View, view

pytestmark = pytest.mark.slow

BATCH = (np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32))


def of(build: Callable[[], Any]) -> View:
    """The view of what is built, which is the same when it is built again."""
    one, again = (view(Code(build, None), 1.0, BATCH) for _ in range(2))
    assert (one.structure, one.digest) == (again.structure, again.digest)
    return one


def functional() -> Any:
    """A model whose layers know each other by names."""
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(3)(layers.Dense(5)(inputs)))


def test_a_model_within_a_model_is_told_without_names() -> None:
    """Keras numbers the names of layers on, from one model to the next."""
    nested = of(lambda: keras.Sequential([keras.Input((4,)), functional()]))
    assert sum("Dense(units=5" in line for line in nested.structure) == 1
