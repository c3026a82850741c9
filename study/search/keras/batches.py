"""Batches of a user's data, as Keras's `fit` would give them to `train_step`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from study.errors import StudyError
from study.search.keras.arrays import as_tensor, rows, sliceable
from study.search.keras.dataset import undisturbed
from study.search.own.stream import cycled, length_of, read_on, rows_by_batch

INSTEAD = "give arrays, a tf.data.Dataset or a keras.utils.PyDataset"


def batches_of(
    x: Any, y: Any, sample_weight: Any, size: int, seed: int
) -> tuple[Iterator[Any], int | None]:
    """Batches of a user's data without end, each as `train_step` takes it.

    Args:
        x: arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, another loader that can be read
            again, or a generator, which is read on.
        y: targets, where x is arrays.
        sample_weight: weights of the samples, where x is arrays.
        size: samples a batch, where x is arrays.
        seed: of the order of arrays and of the batches of a PyDataset.

    Returns:
        An iterator over batches, and the batches of an epoch if they are known.

    Raises:
        StudyError: x has targets beside y, or its parts differ in length; from the iterator, where
            x holds no batch, or is a generator that ends.
    """
    if is_arrays(x):
        return _of_arrays((x, y, sample_weight), size, np.random.default_rng(seed))
    if y is not None or sample_weight is not None:
        raise StudyError(
            f"x is a {type(x).__name__}, which yields targets and weights itself: leave y "
            "and sample_weight out"
        )
    if isinstance(x, Iterator):
        return map(_tensors, read_on(x, INSTEAD)), None
    epoch, length = _epochs(x, np.random.default_rng(seed))
    return map(_tensors, cycled(epoch)), length


def is_arrays(x: Any) -> bool:
    """Whether x is arrays, and not something that yields batches."""
    import keras

    return (
        isinstance(x, (list, tuple, Mapping, str, bytes))
        or hasattr(x, "shape")
        or hasattr(x, "__array__")
        or not isinstance(x, (Iterable, keras.utils.PyDataset))
    )


def weighed(batches: Iterable[Any], class_weight: Mapping[int, float]) -> Iterator[Any]:
    """The batches, with a weight for each sample by its class; see Keras's `fit`.

    Args:
        batches: pairs of inputs and targets of one output.
        class_weight: the weight of each class; 1 where it has none.

    Raises:
        StudyError: it is no dict, or a batch has weights already, or not one array of targets.
    """
    if not isinstance(class_weight, Mapping):
        raise StudyError(
            f"class_weight is a {type(class_weight).__name__}: give a dict of a weight by class"
        )
    for batch in batches:
        pair = isinstance(batch, (list, tuple)) and len(batch) == 2
        if not pair or len(getattr(batch[1], "shape", ())) not in (1, 2):
            raise StudyError(
                "class_weight needs batches of inputs and one array of targets, without weights: "
                "give sample_weight instead"
            )
        y = np.asarray(batch[1])
        classes = y.argmax(axis=-1) if y.ndim == 2 and y.shape[1] > 1 else np.round(y).ravel()
        weights = [class_weight.get(int(one), 1.0) for one in classes]
        yield (*batch, np.array(weights, np.float32))


def _epochs(x: Any, draw: np.random.Generator) -> tuple[Callable[[], Iterable[Any]], int | None]:
    """A function that reads an epoch of batches, and their number if it is known."""
    import keras

    tf: Any = sys.modules.get("tensorflow")  # imported by whoever made a data set of its
    if tf is not None and isinstance(x, tf.data.Dataset):
        dataset, cardinality = undisturbed(x, tf), int(x.cardinality())
        return lambda: dataset, cardinality if cardinality >= 0 else None
    if not isinstance(x, keras.utils.PyDataset):
        return lambda: x, len(x) if hasattr(x, "__len__") else None
    length: int | None = x.num_batches
    return (
        lambda: (x[i] for i in (count() if length is None else draw.permutation(length)))
    ), length


def _of_arrays(data: Any, size: int, draw: np.random.Generator) -> tuple[Iterator[Any], int]:
    """Batches of `size` rows in an order drawn anew each epoch, and their number."""
    import keras

    arrays = keras.tree.map_structure(sliceable, data)
    lengths = (int(part.shape[0]) for part in keras.tree.flatten(data) if part is not None)
    samples = length_of(lengths, "x, y and sample_weight")
    size = min(size, samples)

    def epoch() -> Iterator[Any]:
        for numbers in rows_by_batch(samples, size, draw):
            chosen = partial(rows, chosen=numbers)
            yield keras.utils.pack_x_y_sample_weight(*keras.tree.map_structure(chosen, arrays))

    return cycled(epoch), samples // size


def _tensors(batch: Any) -> Any:
    import keras

    return keras.tree.map_structure(as_tensor, batch)
