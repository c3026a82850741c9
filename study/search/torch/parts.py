"""The parts of a batch: tensors where a module computes, and how it is called with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from study.errors import StudyError
from study.search.own.stream import described


def pair_of(batch: Any) -> tuple[Any, Any]:
    """The inputs and the targets of a batch.

    Args:
        batch: a pair (inputs, targets), or inputs alone, whose targets are None.

    Raises:
        StudyError: it has more than two parts.
    """
    if not is_sequence(batch):
        return batch, None
    if len(batch) > 2:
        raise StudyError(
            f"a batch has {len(batch)} parts: yield pairs (inputs, targets), where several inputs "
            "are a tuple, a list or a dict"
        )
    return (batch[0], batch[1]) if len(batch) == 2 else (batch[0] if len(batch) else batch, None)


def called(module: Any, inputs: Any) -> Any:
    """What a module makes of its inputs, several being arguments of their own."""
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if is_sequence(inputs) else module(inputs)


def tensors(batch: Any, like: torch.Tensor) -> Any:
    """A batch on the device of a tensor; numbers of NumPy become tensors.

    Their floating-point numbers come in the precision of that tensor, and their whole numbers in 64
    bits, but for those that 8 bits hold. Tensors keep their types.

    Args:
        batch: arrays, tensors and others, in tuples, lists and dicts.
        like: a parameter of the module.

    Raises:
        StudyError: an array holds no numbers.
    """
    if isinstance(batch, Mapping):
        return {name: tensors(part, like) for name, part in batch.items()}
    if hasattr(batch, "to"):
        return batch.to(like.device)
    if is_sequence(batch):
        parts = [tensors(part, like) for part in batch]
        if isinstance(batch, list):
            return parts
        return batch._make(parts) if hasattr(batch, "_make") else tuple(parts)
    return _tensor(batch, like) if hasattr(batch, "__array__") else batch


def is_sequence(thing: Any) -> bool:
    """Whether it is a tuple or a list of parts, and no whole such as a packed sequence."""
    return isinstance(thing, (tuple, list)) and not hasattr(thing, "to")


def leaves(batch: Any) -> Iterator[Any]:
    """The parts of a batch that are no containers."""
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if is_sequence(batch):
        for part in batch:
            yield from leaves(part)
    else:
        yield batch


def finite(batch: Any) -> bool:
    """Whether all floating-point numbers of a batch are finite."""
    return all(
        bool(torch.isfinite(part).all())
        for part in leaves(batch)
        if isinstance(part, torch.Tensor) and (part.is_floating_point() or part.is_complex())
    )


def samples(batch: Any) -> int:
    """The number of samples of a batch: the length of its first part that has one."""
    return next((len(part) for part in leaves(batch) if getattr(part, "shape", ())), 1)


def told(thing: Any) -> str:
    """What a part of a batch, or what a module returned, holds: its kinds and shapes."""
    return " and ".join(described(part) for part in leaves(thing) if part is not None) or "nothing"


def _tensor(array: Any, like: torch.Tensor) -> torch.Tensor:
    values = np.asarray(array)
    if values.dtype.kind not in "biufc":
        raise StudyError(f"one part of the data is {described(values)}: give numbers")
    if values.dtype.kind in "iu" and values.dtype.itemsize > 1:
        values = values.astype(np.int64)
    # A copy, since PyTorch takes no array that is read-only, reversed or of the other byte order.
    made = torch.from_numpy(np.array(values, values.dtype.newbyteorder("="), order="C"))
    real = made.is_floating_point()
    return made.to(like.device, like.dtype if real else None)
