"""The structure of a user's model: lines for a person, and digests that tell models apart."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from study.engines.own.identity.reader import Reader
from study.errors import StudyError


def framework_of(model: Any) -> str:
    """Whether a model is Keras's or PyTorch's.

    Raises:
        StudyError: neither.
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if keras is not None and isinstance(model, keras.Model):
        return "keras"
    if torch is not None and isinstance(model, torch.nn.Module):
        return "torch"
    raise StudyError(
        f"model gives a {type(model).__name__}: let it return a Keras model or a torch.nn.Module"
    )


def lines(model: Any, reader: Reader, keys: Collection[str] = ()) -> tuple[str, ...]:
    """The model's parts, one a line: its layers with their settings, and its weights' shapes.

    Args:
        model: built.
        reader: tells code and values.
        keys: names by which data and losses find a Keras model's inputs and outputs.
    """
    if framework_of(model) == "torch":
        from study.engines.own.identity import torch_lines

        return torch_lines.lines(model, reader)
    from study.engines.own.identity import keras_lines

    return keras_lines.lines(model, reader, keys)


def kinds_of(model: Any) -> list[type]:
    """The classes of a model and of all its parts, with those that they are made from."""
    parts = list(model.modules()) if hasattr(model, "modules") else list(_layers(model))
    bases = {base for part in parts for base in type(part).__mro__}
    return [kind for kind in bases if kind is not object]


def _layers(model: Any) -> Iterable[Any]:
    yield model
    yield from model._flatten_layers(include_self=False)


def digest(structure: Sequence[str], code: Sequence[str], weights: Iterable[Any]) -> str:
    """16 hex digits that tell a model from another: its structure, its code, its weights.

    Args:
        structure: `lines` of it.
        code: `code_of` its classes.
        weights: arrays in one order.
    """
    hashed = hashlib.sha256("\n".join([*structure, *code]).encode())
    for array in weights:
        array = np.ascontiguousarray(array)
        hashed.update(f"{array.dtype.str} {array.shape}".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()[:16]
