"""The functions that schedules need, of Keras on any backend, as exact as the backend allows.

Steps are whole numbers of the backend's widest type, so that a place in a cycle is exact. All else
is float32, or float64 where that is Keras's `floatx`: in half precision there would be no number
for a step beyond 65,504.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np


def operations(keras: Any) -> Any:
    """The functions, under numpy's names; `last_step` is the last step that they can count.

    Args:
        keras: the module.
    """

    def kind(array: Any) -> str:
        """What the backend makes of an array's type: JAX has no 64 bits unless asked to."""
        tensor = keras.ops.convert_to_tensor(array)
        return str(keras.backend.standardize_dtype(tensor.dtype))

    real = kind(np.zeros(0)) if keras.config.floatx() == "float64" else "float32"
    return _operations(keras, kind(np.zeros(0, np.int64)), real)


@cache
def _operations(keras: Any, whole: str, real: str) -> Any:
    ops, last = keras.ops, int(np.iinfo(whole).max)

    def float_of(x: Any) -> Any:
        return ops.cast(ops.convert_to_tensor(x), real)

    def array(values: Sequence[float], dtype: str = "float64") -> Any:
        kind = whole if dtype == "int64" else real
        return ops.convert_to_tensor(np.asarray(values, kind))

    def step(value: Any) -> Any:
        """A step, or an array of steps, as whole numbers."""
        if not ops.is_tensor(value) and not isinstance(value, keras.Variable):
            value = np.asarray(value, whole)
        return ops.cast(ops.convert_to_tensor(value), whole)

    return SimpleNamespace(
        last_step=last,
        step=step,
        array=array,
        divide=lambda a, b: ops.divide(float_of(a), float_of(b)),
        multiply=lambda a, b: ops.multiply(float_of(a), float_of(b)),
        add=lambda a, b: ops.add(float_of(a), float_of(b)),
        ones_like=lambda x, dtype: ops.ones_like(x, dtype=real),
        minimum=ops.minimum,
        maximum=ops.maximum,
        expand_dims=ops.expand_dims,
        sum=lambda x, axis: ops.sum(ops.cast(x, "int32"), axis=axis),
        take=ops.take,
        where=ops.where,
        exp=ops.exp,
        sin=ops.sin,
        abs=ops.abs,
    )
