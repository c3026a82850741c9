"""The loss on validation data, as Keras's `evaluate` measures it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from study.errors import StudyError
from study.search.keras.dataset import undisturbed


def evaluation(model: Any, data: Any, batch_size: int) -> Callable[[], dict[str, Any]]:
    """A function that measures loss and metrics on validation data.

    Args:
        model: a compiled Keras model.
        data: (x, y) or (x, y, sample_weight) of arrays, a `tf.data.Dataset` or a `PyDataset`.
        batch_size: samples a batch, where it is arrays.

    Raises:
        StudyError: the data has no end, or can be read only once.
    """
    import keras

    tf: Any = sys.modules.get("tensorflow")
    if isinstance(data, Iterator):
        raise StudyError(
            f"validation_data is a {type(data).__name__}, which can be read only once: give "
            "arrays, a tf.data.Dataset or a keras.utils.PyDataset"
        )
    options: dict[str, Any] = {"verbose": 0, "return_dict": True}
    if tf is not None and isinstance(data, tf.data.Dataset):
        if int(data.cardinality()) == tf.data.INFINITE_CARDINALITY:
            raise StudyError("validation_data has no end: take a part of it, as with .take(10)")
        options["x"] = undisturbed(data, tf)
    elif isinstance(data, (list, tuple)) and len(data) in (2, 3):
        options |= dict(zip(("x", "y", "sample_weight"), data, strict=False))
        options["batch_size"] = batch_size
    elif isinstance(data, keras.utils.PyDataset):
        options["x"] = data
    else:
        raise StudyError(
            f"validation_data is a {type(data).__name__}: give arrays as (x, y), a "
            "tf.data.Dataset or a keras.utils.PyDataset"
        )

    def measure() -> dict[str, Any]:
        logs: dict[str, Any] = model.evaluate(**options)
        return logs

    return measure
