"""A clock that leaves out what the process was stopped for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STOP, PERIOD = 1.0, 0.2
"""Seconds between two looks of a clock that make a stop, and between two looks of its thread."""


IDLE = 0.1
"""A stop takes less than this share of its time of the processor; what keeps Python from running, a
compiler say, takes all of it.
"""


class RunningClock:
    """A monotonic clock, in seconds, that stands still while the process is stopped: by SIGSTOP, in
    a suspended laptop or a paused container.

    A thread looks at the time again and again. Where it could not for more than a second, and the
    process took no processor time meanwhile, the process was stopped.

    Args:
        wall: a monotonic clock that goes on while the process is stopped.
        processor: seconds of processor time that the process has taken.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.perf_counter,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self.wall, self.processor = wall, processor
        self.stopped = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._seen = self._taken = 0.0

    def __call__(self) -> float:
        """Seconds since some moment, without those in which the process was stopped."""
        if (
            self._thread is None or not self._thread.is_alive()
        ):  # the first call, or the first after a fork
            self._seen, self._taken = self.wall(), self.processor()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self._look()

    def _watch(self) -> None:
        while True:
            time.sleep(PERIOD)
            self._look()

    def _look(self) -> float:
        """The clock's time; takes note of a stop since the last look."""
        with self._lock:
            now, taken = self.wall(), self.processor()
            gap = now - self._seen
            if gap > STOP and taken - self._taken < IDLE * gap:
                self.stopped += gap
            self._seen, self._taken = now, taken
            return now - self.stopped


running = RunningClock()
"""The clock of this process."""
