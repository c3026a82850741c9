"""A stop that is asked for by a signal: the first ends cleanly, the third at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from study.errors import Terminated
from study.stopping import ask, heeded

AGAIN = 0.05
"""Seconds until a stop that Python swallowed is asked for again."""

AT_ONCE = 3
"""The signal that ends the process without any more ado; the second changes nothing."""


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` inside, so that it stops as cleanly as Ctrl-C.

    A second signal changes nothing while that is done. A third ends the process at once. In a
    thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = _Signals()
    try:
        with heeded():
            yield
    finally:
        signals.over()


class _Signals:
    """Handles SIGTERM and SIGINT of this process; SIGINT only where Python itself did."""

    def __init__(self) -> None:
        self.heard = 0
        self.before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
        if self.before[signal.SIGINT] is not signal.default_int_handler:
            del self.before[signal.SIGINT]  # somebody else's, or nobody's
        for each in self.before:
            signal.signal(each, self.stop)
        self.hook, sys.unraisablehook = sys.unraisablehook, self.swallowed
        atexit.register(self.ignore)  # what is registered later comes before it

    def stop(self, number: int, frame: FrameType | None) -> None:
        """A signal has come."""
        self.heard += 1
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self.heard == 1:
            ask(kind)
            raise kind
        if self.heard >= AT_ONCE:
            os.write(2, b"\nstudy: ended at once\n")
            os._exit(128 + number)

    def swallowed(self, unraisable: Any) -> None:
        """Python has dropped an exception, as of a finalizer or of the garbage collector's
        callbacks, and JAX has one of those: a stop comes again. So it reaches code without checks.
        """
        if not isinstance(unraisable.exc_value, KeyboardInterrupt | Terminated):
            self.hook(unraisable)
            return
        self.heard = 0
        number = signal.SIGTERM if isinstance(unraisable.exc_value, Terminated) else signal.SIGINT
        threading.Timer(AGAIN, os.kill, (os.getpid(), number)).start()

    def over(self) -> None:
        """Put back what was there; after a stop the handlers stay while the program ends."""
        sys.unraisablehook = self.hook
        for each, handler in self.before.items():
            if not self.heard and signal.getsignal(each) == self.stop:
                signal.signal(each, handler)

    def ignore(self) -> None:
        """Python's own end, which takes a moment, would put the system's handlers in place."""
        for each in self.before:
            if signal.getsignal(each) == self.stop:
                signal.signal(each, signal.SIG_IGN)
