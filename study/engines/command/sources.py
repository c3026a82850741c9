"""Where a program's reports come from, and where the rest of what it says goes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from study.engines.command.reports import Lines, Reader, Report

MOST = 1 << 16
"""Bytes of a log's beginning that are kept, and of its end."""


CHUNK = 1 << 20
"""Bytes of a file that are read at once."""


HEAD = 256
"""Bytes by which a file that was written anew is known."""


class Log:
    """What a program says that is no report: the beginning and the end of it.

    A disk that is full costs the log, and not the trial.

    Args:
        path: the file; made when there is something to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        self.size, self.written, self.kept = 0, 0, 0
        self.tail: deque[bytes] = deque()

    def write(self, line: bytes) -> None:
        """Add a line."""
        line += b"\n"
        self.size += len(line)
        self.tail.append(line)
        self.kept += len(line)
        while self.kept > MOST and len(self.tail) > 1:
            self.kept -= len(self.tail.popleft())
        if self.size <= MOST:
            self._append(line)
            self.written = self.size

    def close(self) -> None:
        """Write the end, where it does not follow the beginning."""
        end = b"".join(self.tail)[-MOST:]
        gap = self.size - len(end) - self.written
        if gap > 0:
            self._append(b"... %d bytes left out ...\n" % gap)
        if self.written < self.size:
            self._append(end[max(0, -gap) :])
        if self.file is not None:
            with suppress(OSError):
                self.file.close()

    def last(self, letters: int) -> str:
        """The end of the log, as text."""
        return b"".join(self.tail)[-letters:].decode(errors="replace").strip()

    def _append(self, text: bytes) -> None:
        with suppress(OSError):
            if self.file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.file = self.path.open("ab", buffering=0)
            self.file.write(text)


class Follower:
    """Reads a file while it grows; one that is written anew is read from its start, without what
    was read before.

    Args:
        path: the file, which may not be there yet.
        reader: finds its reports.
    """

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path, self.reader, self.lines = path, reader, Lines()
        self.place, self.head, self.node = 0, b"", -1
        self.told, self.skip = 0, 0

    def read(self) -> Iterator[Report]:
        """The reports that have come since the last time."""
        with suppress(FileNotFoundError):
            while self.path.is_file():
                with self.path.open("rb") as file:
                    data = self._new(file)
                for line, whole in self.lines.feed(data):
                    report = self.reader.read(line) if whole else None
                    if report is None:
                        continue
                    if self.skip:
                        self.skip -= 1
                        continue
                    self.told += 1
                    yield report
                if len(data) < CHUNK:
                    return

    def _new(self, file: BinaryIO) -> bytes:
        facts = os.fstat(file.fileno())
        head = file.read(HEAD)
        if facts.st_ino != self.node or facts.st_size < self.place or not same(head, self.head):
            self.place, self.lines, self.skip = 0, Lines(), self.told
        self.head, self.node = head, facts.st_ino
        file.seek(self.place)
        data = file.read(CHUNK)
        self.place += len(data)
        return data


def same(one: bytes, other: bytes) -> bool:
    """Whether one beginning of a file goes on as the other did."""
    size = min(len(one), len(other))
    return one[:size] == other[:size] and len(one) >= len(other)
