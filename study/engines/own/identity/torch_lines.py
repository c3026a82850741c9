"""The structure of a user's PyTorch module: its own lines, then what they do not show."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from study.engines.own.identity.reader import Reader, users

SETTINGS = (bool, int, float, str, tuple, type(None))
"""What the settings of a library's module are."""


def lines(model: Any, reader: Reader) -> tuple[str, ...]:
    """The module and its parts, one a line; then fields, functions and frozen weights, if any."""
    told = [line.rstrip() for line in repr(model).splitlines()]
    for name, part in model.named_modules():
        for key, value in _fields(part):
            told.append(f"{name}{'.' if name else ''}{key} = {reader.told(value)}")
    frozen = [name for name, one in model.named_parameters() if not one.requires_grad]
    return (*told, *([f"frozen: {', '.join(frozen)}"] if frozen else []))


def _fields(part: Any) -> Iterator[tuple[str, Any]]:
    """What a module holds beside parts, weights and statistics.

    Of the user's own class all that has no underscore counts; of a library's the settings that
    PyTorch does not print, such as the number of heads, and the user's functions.
    """
    import torch

    own, printed = users(type(part)), part.extra_repr()
    for key, value in vars(part).items():
        if key.startswith("_") or key == "training" or isinstance(value, torch.nn.Module):
            continue
        setting = isinstance(value, SETTINGS) and f"{key}=" not in printed
        if own or setting or (isinstance(value, FunctionType) and users(value)):
            yield key, value
