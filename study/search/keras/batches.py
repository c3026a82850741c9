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
def packed_as_fit(model: Any) -> Iterator[None]:
    """Call the model's `train_step` with (x, y) where there are no sample weights, as `fit` does.

    `train_on_batch` adds a None as the third part, on which `x, y = data` fails.
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


def batches_of(
    x: Any, y: Any, sample_weight: Any, size: int, seed: int
) -> tuple[Iterator[Batch], int | None]:
    """Batches of a user's data without end.

    Args:
        x: arrays, a `tf.data.Dataset` or a `keras.utils.PyDataset`.
        y: targets, where x is arrays.
        sample_weight: weights of the samples, where x is arrays.
        size: samples a batch, where x is arrays.
        seed: of the order of arrays and of the batches of a PyDataset.

    Returns:
        An iterator over (x, y, sample weights), and the batches of an epoch if they are known.

    Raises:
        StudyError: x can be read only once, has targets beside y, or its parts differ in length.
    """
    import keras

    tf: Any = sys.modules.get("tensorflow")  # imported by whoever made a data set of its
    draw = np.random.default_rng(seed)
    if isinstance(x, Iterator):
        raise StudyError(
            f"x is a {type(x).__name__}, which can be read only once: give arrays, a "
            "tf.data.Dataset or a keras.utils.PyDataset"
        )
    is_dataset = tf is not None and isinstance(x, tf.data.Dataset)
    if not is_dataset and not isinstance(x, keras.utils.PyDataset):
        return _of_arrays(keras.tree.map_structure(_array, (x, y, sample_weight)), size, draw)
    if y is not None or sample_weight is not None:
        raise StudyError(
            f"x is a {type(x).__name__}, which yields targets and weights itself: leave y "
            "and sample_weight out"
        )
    if is_dataset:
        copy, cardinality = _copy_of(x, tf), int(x.cardinality())
        return _cycled(lambda: copy), cardinality if cardinality >= 0 else None
    length: int | None = x.num_batches

    def epoch() -> Iterable[Any]:
        return (x[i] for i in (count() if length is None else draw.permutation(length)))

    return _cycled(epoch), length


def _of_arrays(data: Any, size: int, draw: np.random.Generator) -> tuple[Iterator[Batch], int]:
    """Batches of `size` rows in an order drawn anew each epoch, and their number."""
    import keras

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
    """Epoch after epoch; raises `StudyError` at an empty one."""
    import keras

    while True:
        batch = None
        for batch in epoch():
            yield keras.utils.unpack_x_y_sample_weight(batch)
        if batch is None:
            raise StudyError("x holds no batch: give some data")


def _array(values: Any) -> Any:
    """An array as `fit` makes it: floating-point numbers in Keras's precision; None stays None."""
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


def _copy_of(dataset: Any, tf: Any) -> Any:
    """A copy of a tf.data.Dataset with shuffles and caches of its own.

    The data set itself is returned where TensorFlow cannot copy it. A shuffle keeps its place
    between epochs in a resource, which the graph of the data set names. If no resource has the
    name, TensorFlow makes it, from the same seeds; so the copy's graph has new names.
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
