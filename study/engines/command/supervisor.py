"""Starts a program, and ends it with all that it has started; a script that is run by its path.

    supervisor.py STATUS GRACE WORD...

It says on the file descriptor STATUS how the program ended, or that it could not be started. When
its standard input ends or says anything, it asks the program to end, and kills what is left after
GRACE seconds. The input ends with the process that holds its other side, however that one dies. So
no program outlives the study that started it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

PDEATHSIG, SUBREAPER = 1, 36
"""Linux's prctl: what to be sent when the parent dies, and who adopts orphans."""


TICK = 0.02
"""Seconds between two looks at what is left, while it is ended."""


LAST = 10.0
"""Seconds to wait for what was killed: the system may hold a process that waits for a disk."""


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, where the system has it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def start(words: list[str], failed: int) -> int:
    """Start the program in a session of its own; the number of an error is written to `failed`."""
    me = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        prctl(PDEATHSIG, signal.SIGKILL)
        if os.getppid() != me:
            os._exit(127)
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(words[0], words)
    except OSError as error:
        os.write(failed, str(error.errno).encode())
    finally:
        os._exit(127)


def descendants() -> set[int]:
    """The processes that this one has started, and theirs, as far as the system tells."""
    parents: dict[int, int] = {}
    with suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with (
                suppress(OSError, ValueError, IndexError),
                open(f"/proc/{name}/stat", "rb") as file,
            ):
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found: set[int] = set()
    new = {os.getpid()}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def send(number: int, group: int) -> bool:
    """Send a signal to the program's group and to every descendant; whether anyone is left."""
    left = descendants()
    for target in left:
        with suppress(OSError):
            os.kill(target, number)
    with suppress(OSError):
        os.killpg(group, number)
        return True
    return bool(left)


def reaped() -> Iterator[tuple[int, int]]:
    """Those who have ended, and how."""
    with suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            yield child, status


def told(status: int) -> str:
    """How a process ended."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit {code}"


class Supervisor:
    """The program, and who is told how it ended."""

    def __init__(self, words: list[str], status: int, grace: float) -> None:
        self.status, self.grace, self.running = status, grace, True
        os.set_inheritable(status, False)
        prctl(SUBREAPER, 1)
        ended, failed = os.pipe()
        self.wakes, wake = os.pipe()
        for each in (self.wakes, wake):
            os.set_blocking(each, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: None)
        self.program = start(words, failed)
        os.close(failed)
        if error := os.read(ended, 16).decode():
            self.say(f"unstarted {error}")
        os.close(ended)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):  # they end with the program
            os.dup2(nowhere, stream)

    def say(self, what: str) -> None:
        """Tell how the program ended, once."""
        if self.running:
            self.running = False
            with suppress(OSError):
                os.write(self.status, f"{what}\n".encode())

    def reap(self) -> None:
        """Take note of those who have ended."""
        for child, status in reaped():
            if child == self.program:
                self.say(told(status))

    def wait(self) -> None:
        """Until the program has ended, or is to end."""
        while self.running:
            ready, _, _ = select.select([0, self.wakes], [], [])
            if 0 in ready:
                return
            if {signal.SIGTERM, signal.SIGINT} & set(os.read(self.wakes, 512)):
                return
            self.reap()

    def end(self) -> None:
        """End what is left: ask, and kill after the grace."""
        send(signal.SIGTERM, self.program)
        send(signal.SIGCONT, self.program)  # one that was stopped is to hear it
        for number, seconds in ((0, self.grace), (signal.SIGKILL, LAST)):
            deadline = time.monotonic() + seconds
            while send(number, self.program) and time.monotonic() < deadline:
                time.sleep(TICK)
                self.reap()


def main() -> None:
    """See the module."""
    supervisor = Supervisor(sys.argv[3:], int(sys.argv[1]), float(sys.argv[2]))
    supervisor.wait()
    supervisor.end()


if __name__ == "__main__":
    main()
