"""The training and the evaluation mode of a module and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def evaluated(module: Any) -> Iterator[None]:
    """Put a module in evaluation mode, and each part back in its own mode at the end."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def trained(module: Any) -> None:
    """Put a module in training mode.

    One that is in it already is left as it is: parts that its user put in evaluation mode, such as
    frozen normalisations, stay there.
    """
    if not module.training:
        module.train()
