"""MNIST, read and checked once in this process instead of once a study."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from study.data.images import Images, load

_once = cache(load)


def _load(name: str = "mnist") -> Images:
    """The same as `load`; a file of a user's own is read each time."""
    return _once(name) if name == "mnist" else load(name)


@pytest.fixture(autouse=True, scope="session")
def mnist_once() -> Iterator[None]:
    """For what trains in this process; no engine changes its images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.data.load", _load)
        patch.setattr("study.engines.choice.load", _load)
        yield
