"""Batches of a user's data, as a training loop would read them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, IterableDataset

from study.errors import StudyError
from study.search.own.stream import cycled, described, length_of, read_on, rows_by_batch
from study.search.torch.parts import is_sequence, leaves

INSTEAD = "give a DataLoader, a Dataset or a pair of tensors (x, y)"


def batches_of(x: Any, y: Any, size: int, seed: int) -> tuple[Iterator[Any], int | None]:
    """Batches of a user's data without end, as they come.

    Args:
        x: a `DataLoader`, a `Dataset`, a pair (inputs, targets) of arrays, arrays alone, another
            iterable of batches, or a generator, which is read on.
        y: targets, where x is inputs alone.
        size: samples a batch, where x is arrays or a `Dataset`.
        seed: of their order.

    Returns:
        An iterator over batches, and the batches of an epoch if they are known.

    Raises:
        StudyError: x is no data, or has targets beside y, or its parts differ in length; from the
            iterator, where x holds no batch, or is a generator that ends.
    """
    if isinstance(x, Iterator) and y is None:
        return read_on(x, INSTEAD), None
    epoch, length = epochs(x, y, size, np.random.default_rng(seed))
    return cycled(epoch), length


def epochs(
    x: Any, y: Any, size: int, draw: np.random.Generator | None
) -> tuple[Callable[[], Iterable[Any]], int | None]:
    """A function that reads the data once, and its number of batches if it is known.

    Args:
        x: see `batches_of`, but no generator.
        y: see `batches_of`.
        size: samples a batch, where x is arrays or a `Dataset`.
        draw: the source of their order, which leaves a smaller last batch out; where None, they
            come as they lie, and whole.

    Raises:
        StudyError: as `batches_of` does.
    """
    arrays = _arrays(x, y)
    if arrays is not None:
        parts = (part for part in leaves(arrays) if part is not None)
        numbers, length = _rows(length_of(map(len, parts), "x and y"), size, draw)
        return lambda: map(partial(_taken, arrays), numbers()), length
    if y is not None:
        raise StudyError(f"x is a {type(x).__name__}, which yields targets itself: leave y out")
    if isinstance(x, Dataset) and not isinstance(x, IterableDataset):
        if not hasattr(x, "__len__"):
            raise StudyError(f"the data set {type(x).__name__} has no length: give a DataLoader")
        numbers, length = _rows(length_of([len(x)], "x and y"), size, draw)
        # A generator of its own, or it would draw a number of the global one's each epoch.
        own = torch.Generator()
        return lambda: DataLoader(
            x, batch_sampler=[rows.tolist() for rows in numbers()], generator=own
        ), length
    if isinstance(x, Dataset):
        x = DataLoader(x, size, generator=torch.Generator())
    if isinstance(x, (str, bytes)) or not isinstance(x, Iterable):
        raise StudyError(f"x is {described(x)}: {INSTEAD}")
    if getattr(x, "persistent_workers", False):
        x = copy.copy(x)  # its workers stay alive, and would have read on in the sweep
        x._iterator = None
    return lambda: x, _length(x)


def _arrays(x: Any, y: Any) -> Any:
    """The arrays that x and y are, as a batch has them; None where x yields batches itself."""
    if y is not None:
        given: Any = (x, y) if _whole(x) or is_sequence(x) or isinstance(x, Mapping) else None
    elif isinstance(x, tuple) or (is_sequence(x) and all(map(_whole, x)) and len(x) == 2):
        given = x
    else:
        given = x if _whole(x) or isinstance(x, Mapping) else None
    if isinstance(given, tuple) and len(given) != 2:
        raise StudyError(
            f"x is a tuple of {len(given)} parts: give (inputs, targets), where several inputs are "
            "a tuple, a list or a dict"
        )
    for part in leaves(given):
        if part is not None and not _whole(part):
            raise StudyError(f"x and y must be arrays, and one holds {described(part)}")
    return given


def _whole(part: Any) -> bool:
    """Whether it is an array whose rows can be taken."""
    return hasattr(part, "__array__") and bool(len(getattr(part, "shape", ())))


def _rows(
    count: int, size: int, draw: np.random.Generator | None
) -> tuple[Callable[[], Iterable[NDArray[np.int_]]], int]:
    """The numbers of the rows of each batch of an epoch, and how many batches these are."""
    size = min(size, count)
    if draw is not None:
        return lambda: rows_by_batch(count, size, draw), count // size
    places = range(size, count, size)
    return lambda: np.split(np.arange(count), places), len(places) + 1


def _taken(arrays: Any, rows: NDArray[np.int_]) -> Any:
    """Some rows of arrays of any structure."""
    if isinstance(arrays, Mapping):
        return {name: _taken(part, rows) for name, part in arrays.items()}
    if is_sequence(arrays):
        return tuple(_taken(part, rows) for part in arrays)
    if isinstance(arrays, torch.Tensor):
        return arrays[torch.as_tensor(rows, device=arrays.device)]
    if arrays is None:
        return None
    return arrays.iloc[rows] if hasattr(arrays, "iloc") else arrays[rows]


def _length(x: Any) -> int | None:
    """The number of batches, if it is known."""
    try:
        return len(x)
    except TypeError:
        return None
