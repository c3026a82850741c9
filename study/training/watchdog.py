"""Ends a process that does not reach a check in time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from study.machine.clock import running


@contextmanager
def supervised(silence: float | None, hung: Callable[[], None]) -> Iterator[Callable[[], object]]:
    """End this process if it shows no sign of life for too long.

    Args:
        silence: the limit in seconds; None for no limit.
        hung: called just before the process ends.

    Yields:
        A function; each call of it is a sign of life.
    """
    if silence is None:
        yield lambda: None
        return
    heard, over = threading.Event(), threading.Event()

    def listen() -> None:
        since = running()  # this clock stands still while the process is stopped
        while running() - since < silence:
            if heard.wait(max(0.0, silence - (running() - since))):
                heard.clear()
                since = running()
            if over.is_set():
                return
        hung()
        os._exit(1)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield heard.set
    finally:
        over.set()
        heard.set()
        listener.join()
