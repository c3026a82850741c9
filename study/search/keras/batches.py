"""Batches of a user's data, as Keras's fit would take them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from study.errors import StudyError

Batch = tuple[Any, Any, Any]


@contextmanager
def _as_fit_packs(model: Any) -> Iterator[None]:
    """Hand `train_step` its data as `fit` does, (x, y) without a third None, which `x, y = data`
    would stumble over.
    """
    import keras

    step, own = model.train_step, vars(model).get("train_step")
    model.train_step = lambda *arguments: step(
        *arguments[:-1], keras.utils.pack_x_y_sample_weight(*arguments[-1])
    )
    try:
        yield
    finally:
        del model.train_step
        if own is not None:
            model.train_step = own


def _batches(
    x: Any, y: Any, sample_weight: Any, size: int, seed: int
) -> tuple[Iterator[Batch], int | None]:
    """Batches (x, y, sample weights) without end, and how many make an epoch if that is known."""
    import keras

    tf: Any = sys.modules.get("tensorflow")  # who has a data set of its has imported it
    length: int | None
    draw = np.random.default_rng(seed)
    if isinstance(x, Iterator):
        raise StudyError(
            f"x is a {type(x).__name__}, which can be read only once: give arrays, a "
            "tf.data.Dataset or a keras.utils.PyDataset"
        )
    if (tf is not None and isinstance(x, tf.data.Dataset)) or isinstance(x, keras.utils.PyDataset):
        if y is not None or sample_weight is not None:
            raise StudyError(
                f"x is a {type(x).__name__}, which yields targets and weights itself: leave y "
                "and sample_weight out"
            )
        if isinstance(x, keras.utils.PyDataset):
            length = x.num_batches
            return _cycled(
                lambda: (x[i] for i in (count() if length is None else draw.permutation(length)))
            ), length
        cardinality = int(x.cardinality())
        length = cardinality if cardinality >= 0 else None
        copy = _apart(x, tf)
        return _cycled(lambda: copy), length
    data = keras.tree.map_structure(_array, (x, y, sample_weight))
    sizes = sorted({len(array) for array in keras.tree.flatten(data) if array is not None})
    if len(sizes) != 1 or sizes[0] == 0:
        raise StudyError(
            f"x, y and sample_weight hold {' and '.join(map(str, sizes)) or 'no'} samples: as "
            "many of each, at least one"
        )
    (samples,) = sizes
    size = min(size, samples)

    def epoch() -> Iterator[Any]:
        order = draw.permutation(samples)
        for begin in range(0, samples - size + 1, size):
            yield keras.tree.map_structure(partial(_rows, chosen=order[begin : begin + size]), data)

    return _cycled(epoch), samples // size


def _rows(array: Any, chosen: Any) -> Any:
    return None if array is None else array[chosen]


def _cycled(epoch: Callable[[], Iterable[Any]]) -> Iterator[Batch]:
    """Epoch after epoch; an empty one raises `StudyError`."""
    import keras

    while True:
        batch = None
        for batch in epoch():
            yield keras.utils.unpack_x_y_sample_weight(batch)
        if batch is None:
            raise StudyError("x holds no batch: give some data")


def _array(values: Any) -> Any:
    """An array as `fit` makes it, with floating-point numbers in Keras's precision; None stays
    None.
    """
    import keras

    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim == 0 or array.dtype == object:
        raise StudyError(
            "x, y and sample_weight must be arrays, or lists or dicts of arrays, and one holds "
            f"{values!r:.40}"
        )
    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def _apart(dataset: Any, tf: Any) -> Any:
    """A copy of a tf.data.Dataset whose shuffles and caches are its own; the data set itself where
    TensorFlow cannot make one.

    A shuffle keeps its place between epochs in a resource that the data set's graph names. A graph
    that names one which does not exist makes it, from the same seeds.
    """
    try:
        variant = tf.data.experimental.to_variant(dataset)
        ignore_state = 1  # of external variables: the copy lives in this process, and shares them
        graph = tf.compat.v1.GraphDef.FromString(
            tf.raw_ops.DatasetToGraphV2(
                input_dataset=variant, external_state_policy=ignore_state
            ).numpy()
        )
        for node in graph.node:
            for handle in (
                node.attr["value"].tensor.resource_handle_val if node.op == "Const" else ()
            ):
                if (
                    "SeedGenerator" in handle.maybe_type_name
                    or "MemoryCache" in handle.maybe_type_name
                ):
                    handle.name += f"/of a copy at {id(graph)}"
        copy = tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString())
        return tf.data.experimental.from_variant(copy, dataset.element_spec)
    except (tf.errors.OpError, ValueError, TypeError):  # such as one of more than 2 GB
        return dataset
