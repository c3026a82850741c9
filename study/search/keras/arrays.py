"""Arrays as Keras's `fit` takes them: dense, sparse or ragged, numbers or strings."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.errors import StudyError
from study.search.own.stream import described


def sliceable(values: Any) -> Any:
    """Values whose rows can be taken, with floating-point numbers in Keras's precision.

    Args:
        values: an array or a tensor, dense, sparse or ragged, or a table of pandas; or None.

    Raises:
        StudyError: anything else.
    """
    from keras.src.trainers.data_adapters import array_slicing

    if values is None:
        return None
    if not array_slicing.can_slice_array(values) or not len(getattr(values, "shape", ())):
        raise StudyError(
            f"x, y and sample_weight must be arrays, and one holds {described(values)}"
        )
    # A matrix of SciPy's gives rows, and a tensor made from it does not.
    whole = values if hasattr(values, "tocoo") else as_tensor(values)
    return array_slicing.convert_to_sliceable(whole)


def rows(values: Any, chosen: Any) -> Any:
    """Some rows, as a training step takes them.

    Args:
        values: what `sliceable` returned.
        chosen: the numbers of the rows.
    """
    if values is None:
        return None
    taken = values[chosen]
    # Keras knows how wide a column of pandas is.
    return as_tensor(values.convert_to_numpy(taken) if hasattr(taken, "iloc") else taken)


def as_tensor(part: Any) -> Any:
    """A part of a batch as a training step takes it.

    Strings and SciPy's sparse matrices become tensors, and what only offers an array becomes one.
    """
    import keras

    if hasattr(part, "tocoo"):
        from keras.src.trainers.data_adapters import data_adapter_utils

        return data_adapter_utils.scipy_sparse_to_tf_sparse(part)
    if isinstance(part, np.ndarray) and part.dtype.kind in "OSU":
        if all(isinstance(value, (str, bytes)) for value in part.flat):
            return keras.ops.convert_to_tensor(part.astype(object), dtype="string")
        raise StudyError(
            f"one part of the data is {described(part)}, and they are no strings: give numbers"
        )
    if isinstance(part, (bool, int, float)) or hasattr(part, "__array__"):
        return part if keras.ops.is_tensor(part) else np.asarray(part)
    return part


def finite(batch: Any) -> bool:
    """Whether all floating-point numbers of a batch are finite."""
    import keras

    for part in keras.tree.flatten(batch):
        values = np.asarray(getattr(part, "flat_values", getattr(part, "values", part)))
        if np.issubdtype(values.dtype, np.inexact) and not np.isfinite(values).all():
            return False
    return True
