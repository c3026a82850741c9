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
    signals = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if signals == 1:
            ask(kind)
            raise kind
        if signals >= AT_ONCE:
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nstudy: ended at once\n")
            os._exit(128 + number)

    def swallowed(unraisable: Any) -> None:
        # Python drops what is raised in a finalizer or by the garbage collector's callbacks, and
        # JAX has one of those. Code that takes long and has no checks is reached so.
        nonlocal signals
        if not isinstance(unraisable.exc_value, KeyboardInterrupt | Terminated):
            hook(unraisable)
            return
        signals = 0
        number = signal.SIGTERM if isinstance(unraisable.exc_value, Terminated) else signal.SIGINT
        threading.Timer(AGAIN, os.kill, (os.getpid(), number)).start()

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ignore() -> None:
        # Python's own end, which takes a moment, would put the system's handlers in our place.
        for each in before:
            if signal.getsignal(each) is stop:
                signal.signal(each, signal.SIG_IGN)

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    if before[signal.SIGINT] is not signal.default_int_handler:  # somebody else's, or nobody's
        del before[signal.SIGINT]
    atexit.register(ignore)  # what is registered later comes before it
    for each in before:
        signal.signal(each, stop)
    hook, sys.unraisablehook = sys.unraisablehook, swallowed
    try:
        with heeded():
            yield
    finally:
        sys.unraisablehook = hook
        for each, handler in before.items():
            if not signals and signal.getsignal(each) is stop:  # it goes on while the program ends
                signal.signal(each, handler)
