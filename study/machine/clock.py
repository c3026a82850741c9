"""A clock that stands still while the process is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STOP = 1.0
"""Seconds without a look at the time that may be a stop of the process."""


PERIOD = 0.2
"""Seconds between two looks of the clock's thread."""


IDLE = 0.1
"""Largest share of a stop that is processor time. A compiler too may keep Python from running, but
takes processor time all the while.
"""


class RunningClock:
    """A monotonic clock, in seconds, that stands still while the process is stopped.

    SIGSTOP stops a process, and so does a suspended laptop or a paused container. A thread looks at
    the time every `PERIOD` seconds. The process was stopped if the thread missed its looks for more
    than `STOP` seconds, and the process took no processor time meanwhile.

    Args:
        wall: a monotonic clock, in seconds, that goes on while the process is stopped.
        processor: processor time that the process has taken, in seconds.
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
        """Seconds since a fixed moment, without those in which the process was stopped."""
        # There is no thread at the first call, nor after a fork.
        if self._thread is None or not self._thread.is_alive():
            self._seen, self._taken = self.wall(), self.processor()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self._look()

    def _watch(self) -> None:
        while True:
            time.sleep(PERIOD)
            self._look()

    def _look(self) -> float:
        """The time of the clock; a stop since the last look is recorded."""
        with self._lock:
            now, taken = self.wall(), self.processor()
            gap = now - self._seen
            if gap > STOP and taken - self._taken < IDLE * gap:
                self.stopped += gap
            self._seen, self._taken = now, taken
            return now - self.stopped


running = RunningClock()
"""The clock of this process."""
