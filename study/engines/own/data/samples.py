"""A user's data: what may be given, checked, and told apart by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from study.engines.own.code import Code
from study.engines.own.data.feeds import Arrays, Feed, Stream, is_stream
from study.engines.own.data.trees import as_array, leaves, mapped
from study.errors import StudyError
from study.words import counted

SEEN = 4
"""Batches of a stream that its digest is made of."""


FORMS = (
    "arrays (x, y), a pair (training, validation) of such, a tf.data.Dataset, a PyDataset, or a "
    "torch Dataset or DataLoader"
)
"""What a function may give as data, in words."""


@dataclass(frozen=True)
class Samples:
    """A user's data.

    Args:
        train: what is trained on.
        validation: what is held out; None where there is none.
        digest: 32 hex digits that tell other data apart.
    """

    train: Feed
    validation: Feed | None
    digest: str


def samples_of(code: Code) -> Samples:
    """The data that the user's function gives.

    Raises:
        StudyError: it gives nothing of the forms, nothing at all, or values that are not finite.
    """
    given = code.load()
    train, held = _parts(given)

    def again(place: int) -> Any:
        """The same part of what the function gives anew: a data set may keep its own state."""
        return _parts(code.load())[place]

    feeds = [
        None if part is None else _feed(part, place, again)
        for place, part in enumerate((train, held))
    ]
    assert feeds[0] is not None
    hashed = hashlib.md5()
    for name, feed in zip(("training", "validation"), feeds, strict=True):
        if feed is not None:
            _digest(hashed, feed, f"the {name} data")
    return Samples(feeds[0], feeds[1], hashed.hexdigest())


def _parts(given: Any) -> tuple[Any, Any]:
    """Training and validation data."""
    if isinstance(given, Mapping) and {"x", "y"} <= set(given):
        held = [given.get(f"{name}_validation", given.get(f"{name}_val")) for name in "xy"]
        return (given["x"], given["y"]), None if held[0] is None else tuple(held)
    if is_stream(given):
        return given, None
    if not isinstance(given, (list, tuple)) or not 2 <= len(given) <= 4:
        raise StudyError(f"the data are {_kind(given)}: give {FORMS}")
    if len(given) == 4:
        return tuple(given[:2]), tuple(given[2:])
    pairs = [isinstance(part, (list, tuple)) and len(part) in (2, 3) for part in given]
    if len(given) == 2 and (all(pairs) or any(map(is_stream, given))):
        return given[0], given[1]
    return tuple(given), None


def _feed(part: Any, place: int, again: Any) -> Feed:
    if hasattr(part, "tensors") and is_stream(part):  # a TensorDataset
        part = tuple(part.tensors)
    if is_stream(part):
        return Stream(part, lambda: again(place))
    if not isinstance(part, (list, tuple)) or len(part) not in (2, 3):
        raise StudyError(f"a part of the data is {_kind(part)}: give {FORMS}")
    arrays = mapped(as_array, tuple(part))
    for leaf in leaves(arrays):
        if leaf.dtype == object:
            raise StudyError(
                "a part of the data is an array of Python objects: give numbers, all rows of one "
                "length"
            )
    if any(leaf.dtype.kind in "SU" for leaf in leaves(arrays[1])):
        raise StudyError("the labels are text: encode them as numbers, such as 0 to 9")
    counts = [len(leaf) if leaf.ndim else 0 for leaf in leaves(arrays)]
    if not any(counts):
        raise StudyError("a part of the data holds no sample: give one at least")
    if len(set(counts)) > 1:
        told = " and ".join(map(str, dict.fromkeys(counts)))
        raise StudyError(f"x and y hold {told} samples: give as many of each")
    return Arrays(arrays)


def _kind(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)} parts"
    return f"a {type(value).__name__}"


def _digest(hashed: Any, feed: Feed, what: str) -> None:
    """Add a feed's numbers, all of arrays and the first of a stream; they must be finite."""
    batches: Iterable[Any] = [feed.arrays] if isinstance(feed, Arrays) else first_batches(feed)
    some = False
    for batch in batches:
        some = True
        for leaf in leaves(batch):
            array = np.ascontiguousarray(leaf)
            if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
                bad = int(array.size - np.isfinite(array).sum())
                told = counted(bad, "value that is not finite", "values that are not finite")
                raise StudyError(
                    f"{what} hold {told}, in an array of shape {array.shape}: mend or mask them"
                )
            hashed.update(f"{array.dtype.str} {array.shape}".encode())
            hashed.update(array.tobytes() if array.dtype.kind != "O" else repr(array).encode())
    if not some:
        raise StudyError(f"{what} hold no batch: give some data")


def first_batches(feed: Feed) -> Iterator[Any]:
    """The first batches of a feed, for its digest."""
    return islice(feed.epoch(0), SEEN)
