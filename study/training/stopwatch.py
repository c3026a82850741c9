"""The time of a process by named parts, which add up to the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from study.machine.clock import running


class Stopwatch:
    """Accumulates seconds by name.

    Time in a part inside another counts for the inner one alone. Time outside of all is `other`.

    Args:
        clock: a monotonic clock, in seconds.

    >>> ticks = iter(range(4))
    >>> stopwatch = Stopwatch(lambda: next(ticks))
    >>> with stopwatch.part("train"):
    ...     pass
    >>> stopwatch.parts()
    {'other': 2.0, 'train': 1.0}
    """

    def __init__(self, clock: Callable[[], float] = running) -> None:
        self.clock = clock
        self._parts: dict[str, float] = {}
        self._stack = ["other"]
        self._since = clock()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside as `name`."""
        self._switch()
        self._stack.append(name)
        try:
            yield
        finally:
            self._switch()
            self._stack.pop()

    def parts(self) -> dict[str, float]:
        """Seconds by name until now; their sum is the time since the stopwatch was made."""
        self._switch()
        return dict(self._parts)

    def _switch(self) -> None:
        now = self.clock()
        self._parts[self._stack[-1]] = self._parts.get(self._stack[-1], 0.0) + now - self._since
        self._since = now
