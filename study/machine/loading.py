"""What goes with loading large libraries: their greetings, and Python's collector of cycles."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def silenced() -> Iterator[None]:
    """Hide what a library writes to standard error, unless it fails.

    TensorFlow writes a greeting at any log level.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden:
        saved = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            hidden.seek(0)
            os.write(saved, hidden.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextmanager
def unswept() -> Iterator[None]:
    """Do not look for cycles of objects inside.

    What is imported stays, and looking through it again and again takes a fifth of the time that
    TensorFlow needs.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


@cache
def end_unswept() -> None:
    """Let this process end without a last look for cycles, which takes a second with TensorFlow.

    See `end_swept`.
    """
    atexit.register(gc.freeze)


def end_swept() -> None:
    """Let it end as ever: code of the user's may leave a file open that is closed by that look."""
    atexit.unregister(gc.freeze)
