"""Arrays in tuples, lists and dicts: what a batch of a user's data is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of a tree, in one order; None is none."""
    if isinstance(tree, Mapping):
        for key in tree:
            yield from leaves(tree[key])
    elif isinstance(tree, (list, tuple)):
        for part in tree:
            yield from leaves(part)
    elif tree is not None:
        yield tree


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with a function's value in place of each array.

    >>> mapped(lambda n: n + 1, {"a": 1, "b": (2, None)})
    {'a': 2, 'b': (3, None)}
    """
    if isinstance(tree, Mapping):
        return {key: mapped(function, part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return tuple(mapped(function, part) for part in tree)
    return None if tree is None else function(tree)


def rows_of(array: Any, rows: Any) -> Any:
    """Some rows of an array."""
    return array[rows]


def stacked(trees: list[Any], join: Callable[[list[Any]], Any] = np.concatenate) -> Any:
    """Trees of one structure as one, the arrays at each place joined."""
    columns = zip(*(list(leaves(tree)) for tree in trees), strict=True)
    parts = iter([join(list(column)) for column in columns])
    return mapped(lambda _: next(parts), trees[0])


def plain(value: Any) -> np.ndarray[Any, Any]:
    """A tensor of any framework as an array of NumPy's."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """An array of numbers of NumPy's, from a tensor of any framework, a list or a table."""
    array = plain(value.to_numpy() if hasattr(value, "to_numpy") else value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def shapes(tree: Any) -> str:
    """The shapes of a tree's arrays, in words."""
    told = [str(tuple(getattr(leaf, "shape", ()))) for leaf in leaves(tree)]
    return told[0] if len(told) == 1 else " and ".join(told)
