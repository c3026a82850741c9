"""A user's data, read as far as a sweep needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError


def cycled(epoch: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """Epoch after epoch without end.

    Args:
        epoch: reads the data once, from its start.

    Raises:
        StudyError: from the iterator, at an epoch without a batch.
    """
    while True:
        empty = True
        for batch in epoch():
            empty = False
            yield batch
        if empty:
            raise StudyError("x holds no batch: give some data")


def read_on(x: Iterator[Any], instead: str) -> Iterator[Any]:
    """What is left of a generator.

    Args:
        x: the generator.
        instead: what to give in its place, for the error.

    Raises:
        StudyError: from the iterator, at its end.
    """
    read = 0
    for batch in x:
        read += 1
        yield batch
    raise StudyError(
        f"x is a {type(x).__name__}, which can be read only once, and it ended after {read} "
        f"batches: ask for fewer steps, or {instead}"
    )


def length_of(lengths: Iterable[int], names: str) -> int:
    """The number of samples, which all parts share.

    Args:
        lengths: of each part.
        names: what the parts are, for the error.

    Raises:
        StudyError: there are several lengths, none, or 0.
    """
    sizes = list(dict.fromkeys(lengths))
    if len(sizes) != 1 or sizes[0] == 0:
        raise StudyError(
            f"{names} hold {' and '.join(map(str, sizes)) or 'no'} samples: as many of each, at "
            "least one"
        )
    return sizes[0]


def rows_by_batch(samples: int, size: int, draw: np.random.Generator) -> Iterator[NDArray[np.int_]]:
    """The rows of each batch of an epoch, in an order that is drawn.

    Args:
        samples: number of rows.
        size: rows a batch, at most `samples`; a smaller last batch is left out.
        draw: the source of the order.

    >>> [rows.shape for rows in rows_by_batch(7, 3, np.random.default_rng(0))]
    [(3,), (3,)]
    """
    order = draw.permutation(samples)
    for begin in range(0, samples - size + 1, size):
        yield order[begin : begin + size]


def described(part: Any) -> str:
    """What a part of the data is, in a few words: never its values."""
    if isinstance(part, (bool, int, float, str, bytes)):
        return f"a single {type(part).__name__}"
    shape = getattr(part, "shape", None)
    what = f"a {type(part).__name__}"
    if isinstance(part, np.ndarray) and part.dtype == object:
        what = "an array of Python objects"
    return what if shape is None else f"{what} of shape {tuple(shape)}"
