"""A program that runs: what it says as it comes, and how it ended."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SUPERVISOR = Path(__file__).with_name("supervisor.py")
"""The script that starts the program, and ends it with all that it has started."""


GRACE = 5.0
"""Seconds between the request to end and the kill."""


CHUNK = 1 << 16
"""Bytes that are read at once."""


OUT, ERR, END = "out", "err", "end"
"""What is heard: standard output, standard error, and how the program ended."""


@dataclass(frozen=True)
class Heard:
    """Some bytes of a stream."""

    stream: str
    data: bytes


class Child:
    """A program and all that it starts; `close` ends them.

    Args:
        words: the program and its arguments.
        variables: of its environment, beside those of this process.
        grace: seconds between the request to end and the kill.

    Attributes:
        end: how it ended, such as `exit 0` or `signal 9`; empty while it runs.
        over: whether nothing more will be heard.
    """

    def __init__(
        self, words: Sequence[str], variables: Mapping[str, str], grace: float = GRACE
    ) -> None:
        status, told = os.pipe()
        self.end, self.over = "", False
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR), str(told), str(grace), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **variables},
                pass_fds=(told,),
                start_new_session=True,
            )
        except BaseException:
            os.close(status)
            raise
        finally:
            os.close(told)
        self.selector = selectors.DefaultSelector()
        for stream, pipe in ((OUT, self.process.stdout), (ERR, self.process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self.selector.register(pipe, selectors.EVENT_READ, stream)
        self.status = os.fdopen(status, "rb", 0)
        self.selector.register(self.status, selectors.EVENT_READ, END)

    def hear(self, seconds: float) -> list[Heard]:
        """What is said within that time; none where the time is over first."""
        found = []
        for key, _ in self.selector.select(seconds):
            try:
                data = os.read(key.fd, CHUNK)
            except BlockingIOError:
                continue
            if key.data == END:
                self.end += data.decode()
            elif data:
                found.append(Heard(key.data, data))
            if not data:
                self.selector.unregister(key.fileobj)
        if not self.selector.get_map():
            self.over, self.end = True, self.end.strip() or "signal 9"
        return found

    def ask(self) -> None:
        """Ask the program to end; it is killed where it does not."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

    def close(self) -> None:
        """End the program, and wait until all of it is gone."""
        self.ask()
        while not self.over:
            self.hear(1.0)
        self.process.wait()
        self.selector.close()
        for pipe in (self.process.stdout, self.process.stderr, self.status):
            assert pipe is not None
            pipe.close()


def in_words(end: str) -> str:
    """How a program ended, as the end of a sentence.

    >>> in_words("exit 3"), in_words("signal 11")
    ('ended with exit code 3', 'was ended by SIGSEGV')
    """
    kind, _, number = end.partition(" ")
    if kind == "exit":
        return f"ended with exit code {number}"
    if kind == "unstarted":
        return f"could not be started ({os.strerror(int(number))})"
    try:
        name = signal.Signals(int(number)).name
    except ValueError:
        name = f"signal {number}"
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"
