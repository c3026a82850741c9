"""Where batches come from: arrays in memory, in an order of the seed; or a stream, read on."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.engines.batches import batch_order
from study.engines.own.code import sow
from study.engines.own.data.trees import as_array, leaves, mapped, rows_of, stacked
from study.errors import StudyError

EVALUATION_BATCH = 500
"""Samples of arrays that are evaluated at once."""


TORCH_BATCH = 32
"""Samples a batch of a torch Dataset that comes without a loader."""


Order = NDArray[np.int32]


def is_stream(value: Any) -> bool:
    """Whether a value yields batches, and is no array."""
    if isinstance(value, (list, tuple, Mapping, str, bytes)):
        return False
    if hasattr(value, "shape") or hasattr(value, "__array__"):
        return False
    return isinstance(value, Iterable) or hasattr(value, "__getitem__")


class Arrays:
    """Data in memory.

    Args:
        arrays: (x, y) or (x, y, weights), each a tree of arrays, (N, ...).
    """

    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays
        self.count = len(next(leaves(arrays)))

    def batches(self, seed: int, start: int, count: int, size: int) -> Iterator[tuple[Any, Order]]:
        """The batches of consecutive steps: arrays, and which of their rows each step takes.

        Every epoch is a new shuffle; the samples after its last whole batch are skipped.

        Args:
            seed: of the order.
            start: the first step, from 0.
            count: number of steps.
            size: samples a batch.

        Yields:
            The arrays, and (count, size) numbers of rows.
        """
        yield self.arrays, batch_order(seed, start, count, size, self.count)

    def reader(self) -> Arrays:
        """A feed for one learner: arrays have no place that another could move."""
        return self

    def steps(self, size: int) -> int | None:
        """Steps of an epoch."""
        return self.count // size

    def epoch(self, seed: int) -> Iterator[Any]:
        """All samples once, in their own order, in large batches."""
        for begin in range(0, self.count, EVALUATION_BATCH):
            chosen = slice(begin, begin + EVALUATION_BATCH)
            yield mapped(partial(rows_of, rows=chosen), self.arrays)


class Stream:
    """Data that are read batch by batch, the same for each trial of a seed.

    Args:
        given: what yields batches; its batch size is its own.
        again: gives the same anew, with the random state that its caller has set.
    """

    def __init__(self, given: Any, again: Callable[[], Any]) -> None:
        self.given, self.again = given, again
        self.at: tuple[int, int] | None = None
        self.reading: Iterator[Any] = iter(())
        self.random: Any = None

    def batches(self, seed: int, start: int, count: int, size: int) -> Iterator[tuple[Any, Order]]:
        """As of `Arrays`: parts of batches of one shape. The last batch of an epoch may be smaller,
        and texts may be padded to the longest of their batch.
        """
        with self._random():
            if self.at != (seed, start):
                self._open(seed, start)
            batches = [self._next() for _ in range(count)]
            self.at = (seed, start + count)
        begin = 0
        for end in range(1, count + 1):
            if end == count or _shapes(batches[end]) != _shapes(batches[begin]):
                part = batches[begin:end]
                rows = np.arange(sum(len(next(leaves(one))) for one in part), dtype=np.int32)
                yield stacked(part), rows.reshape(len(part), -1)
                begin = end

    def reader(self) -> Stream:
        """A feed for one learner, with a place of its own."""
        return Stream(self.given, self.again)

    def steps(self, size: int) -> int | None:
        """Steps of an epoch; None if the stream does not tell."""
        count = getattr(self.given, "num_batches", None)
        if count is None and hasattr(self.given, "cardinality"):
            count = int(self.given.cardinality())
        if count is None and hasattr(self.given, "__len__"):
            count = len(_loader(self.given))
        return count if count is not None and count > 0 else None

    def epoch(self, seed: int) -> Iterator[Any]:
        """One epoch, batch by batch."""
        before = _random_states()
        sow(seed)
        batches = map(_batch, iter(_loader(self.again())))
        try:
            yield from batches
        finally:
            _set_random_states(before)

    def _open(self, seed: int, start: int) -> None:
        """Begin at a step of a seed: what lies before is read and forgotten."""
        sow(seed)
        source = _loader(self.again())
        sow(seed)
        self.reading = _forever(source)
        for _ in range(start):
            next(self.reading)

    def _next(self) -> Any:
        return next(self.reading)

    @contextmanager
    def _random(self) -> Iterator[None]:
        """Read under the stream's own random state, so that no model sees it."""
        before = _random_states()
        if self.random is not None:
            _set_random_states(self.random)
        try:
            yield
        finally:
            self.random = _random_states()
            _set_random_states(before)


Feed = Arrays | Stream


def _shapes(batch: Any) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in leaves(batch)]


def _batch(batch: Any) -> Any:
    """A batch as (x, y) or (x, y, weights), of arrays."""
    parts = mapped(as_array, batch)
    if isinstance(parts, Mapping) and {"x", "y"} <= set(parts):
        parts = (parts["x"], parts["y"])
    if not isinstance(parts, tuple) or len(parts) not in (1, 2, 3):
        raise StudyError("a batch of the data must be (x, y) or (x, y, weights)")
    if any(not leaf.ndim for leaf in leaves(parts)):
        raise StudyError(
            "an element of the data is a single sample: batch the data set first, as with "
            ".batch(32)"
        )
    return parts


def _forever(source: Any) -> Iterator[Any]:
    while True:
        some = False
        for batch in source:
            some = True
            yield _batch(batch)
        if not some:
            raise StudyError("the training data hold no batch: give some data")


def _loader(source: Any) -> Any:
    """What yields the batches of a stream: a PyDataset or a torch Dataset by its numbers."""
    if hasattr(source, "num_batches") and hasattr(source, "__getitem__"):  # a PyDataset
        return _Numbered(source)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(source, torch.utils.data.Dataset):
        if isinstance(source, torch.utils.data.IterableDataset):
            return torch.utils.data.DataLoader(source, batch_size=TORCH_BATCH)
        return torch.utils.data.DataLoader(source, batch_size=TORCH_BATCH, shuffle=True)
    if isinstance(source, Iterator):
        raise StudyError(
            f"the data are a {type(source).__name__}, which can be read only once: give what can "
            "be read again"
        )
    return source


class _Numbered:
    """A PyDataset: its batches in an order of their own, as Keras's `fit` draws one."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __len__(self) -> int:
        return int(self.source.num_batches)

    def __iter__(self) -> Iterator[Any]:
        order = np.random.permutation(len(self))  # noqa: NPY002
        for place in order:
            yield self.source[int(place)]
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()


def _random_states() -> Any:
    torch = sys.modules.get("torch")
    numpy_state = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy_state, torch and torch.get_rng_state()


def _set_random_states(states: Any) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None and states[2] is not None:
        torch.set_rng_state(states[2])
