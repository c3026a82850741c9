"""Ends a process that comes to no check in time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from study.machine.clock import running


@contextmanager
def supervised(silence: float | None, hung: Callable[[], None]) -> Iterator[Callable[[], object]]:
    """Call `hung` and end this process when the function given is not called for `silence` seconds
    inside; never where that is None.
    """
    if silence is None:
        yield lambda: None
        return
    heard, over = threading.Event(), threading.Event()

    def listen() -> None:
        since = running()  # a process that was stopped has not been silent
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
