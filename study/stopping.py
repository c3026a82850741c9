"""A stop that was asked for is a flag beside the exception, since Python may lose the exception.

What a signal handler raises in a finalizer, in a callback of the garbage collector or inside a
library's C code can be dropped without a word. So every loop that takes long calls `heed`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked: list[type[BaseException]] = []
"""The kind of stop that was asked for, while nobody has ended for it."""


def ask(kind: type[BaseException]) -> None:
    """Ask every loop to stop at its next check.

    Args:
        kind: the exception that it raises there, without arguments.
    """
    _asked[:] = [kind]


def heed() -> None:
    """Raise the stop that was asked for, if there is one."""
    if _asked:
        raise _asked[0]


@contextmanager
def stoppable() -> Iterator[None]:
    """Notice Ctrl-C inside: where its exception is lost, `heed` raises it again.

    The exception of the handler that was there comes first, as ever. An error that the stop itself
    caused gives way to it. In a thread nothing is noticed, since Python handles signals in the main
    thread alone.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        ask(KeyboardInterrupt)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        with heeded():
            yield
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, before)


@contextmanager
def heeded() -> Iterator[None]:
    """End with the stop that was asked for inside, even if it was lost or became another error."""
    try:
        yield
        heed()
    except Exception:
        heed()
        raise
    finally:
        _asked.clear()
