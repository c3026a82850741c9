"""A stop that is asked for."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from study.errors import Terminated

AGAIN = 0.05
"""Seconds until a stop that Python swallowed is asked for again."""


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` inside, so that it stops as cleanly as Ctrl-C.

    A second signal changes nothing while that is done. In a thread this does nothing.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    def swallowed(unraisable: Any) -> None:
        # Python drops what is raised in a finalizer or by the garbage collector's callbacks, and
        # JAX has one of those: without this the process could not be stopped any more.
        if not isinstance(unraisable.exc_value, KeyboardInterrupt | Terminated):
            hook(unraisable)
            return
        for each in before:
            signal.signal(each, stop)
        number = signal.SIGTERM if isinstance(unraisable.exc_value, Terminated) else signal.SIGINT
        threading.Timer(AGAIN, os.kill, (os.getpid(), number)).start()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    if before[signal.SIGINT] is not signal.default_int_handler:  # somebody else's, or nobody's
        del before[signal.SIGINT]
    for each in before:
        signal.signal(each, stop)
    hook, sys.unraisablehook = sys.unraisablehook, swallowed
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for each, handler in before.items():
            if signal.getsignal(each) is stop:
                signal.signal(each, handler)
