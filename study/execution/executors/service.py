"""What dask and Ray are here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from study.errors import StudyError

ARRIVAL = 60.0
"""Seconds to wait for a scheduler to answer, and then for its workers."""


SILENCE = 20.0
"""Seconds without an answer after which a Ray cluster is held to be gone."""


GRACE = 1.0
"""Seconds that dask's client has, when it closes, to tell those who wait."""


TRIES = 3
"""How many workers may die of a task before it is given up."""


class WorkerDied(ConnectionError):
    """The place that was to do a task is gone."""


@dataclass(frozen=True)
class Place:
    """Where tasks are done: a dask worker, or a node of a Ray cluster.

    Args:
        name: tells it from others.
        machine: the machine that it is on.
        slots: tasks that it does at the same time.
    """

    name: str
    machine: str
    slots: int = 1


class Service(Protocol):
    """What dask and Ray are here: places that turn a function into a future."""

    address: str
    foreign: bool
    """Whether its workers may lack this package, or have another version of it."""

    def places(self) -> Sequence[Place]:
        """Those that are there now, the oldest first; answers at once."""
        ...

    def submit(self, function: Callable[[], Any], place: str) -> Future[Any]:
        """A future of the function's value; `WorkerDied` is its error if the place is gone, any
        other `ConnectionError` if all of the service is.
        """
        ...

    def close(self) -> None:
        """Give up what is not done, and let the workers go."""
        ...


def _await(wanted: int, there: Callable[[], int], address: str) -> int:
    """How many workers there are, once there are as many as wanted."""
    begun = time.monotonic()
    while (count := there()) < wanted:
        if time.monotonic() - begun > ARRIVAL:
            raise StudyError(
                f"{count} of {wanted} workers have come to {address} in {ARRIVAL:g} s: start "
                "more, or lower --workers"
            )
        time.sleep(0.1)
    return count


def _checked(address: str, schemes: Sequence[str]) -> None:
    """Raise `StudyError` unless the address is SCHEME://HOST:PORT: dask and Ray wait long, or for
    ever, for what cannot be one.
    """
    found = re.fullmatch(r"(\w+)://([^/:\s]+|\[[^/\s]+\]):(\d{1,5})", address)
    if not found or found[1] not in schemes or not 0 < int(found[3]) < 2**16:
        raise StudyError(
            f"scheduler {address!r} must be "
            f"{' or '.join(f'{scheme}://HOST:PORT' for scheme in schemes)}"
        )


def _missing(backend: str) -> StudyError:
    return StudyError(
        f"the backend {backend} is not installed: .venv/bin/pip install -r "
        f"requirements-{backend}.txt"
    )
