"""Files of JSON lines: appended, flushed to the disk, repaired."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from study.errors import StudyError

Row = dict[str, Any]


T = TypeVar("T")


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON line and wait until the disk has it."""
    append(path, json.dumps(row, allow_nan=False).encode() + b"\n")


def append(path: Path, text: bytes) -> None:
    """Append to a file and wait until the disk has it."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while text:
            text = text[os.write(handle, text) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, text: bytes) -> None:
    """Put the text in the place of what the file holds, whole or not at all."""
    draft = path.with_suffix(
        f".{os.getpid()}.tmp"
    )  # several studies may write one file of step times
    try:
        draft.unlink(missing_ok=True)
        append(draft, text)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file, none if there is no file; a last one without its end is being written or
    torn, and is left out.
    """
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from None


def json_object(line: bytes) -> Row:
    """The JSON object in a line.

    Raises:
        StudyError: it holds something else.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise StudyError("not a JSON object")
    return row


def read_rows(path: Path, reader: Callable[[Row], T]) -> Iterator[T]:
    """What `reader` makes of each line of a file.

    Raises:
        StudyError: a line is not a JSON object, or not what the reader expects; the sentence names
            it.
    """
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            yield reader(json_object(line))
        except StudyError as error:
            raise StudyError(
                f"{path}, line {number}: {error}; mend or remove the line (`run --repair` moves "
                "a study's bad lines aside)"
            ) from None


def _readable(line: bytes, reader: Callable[[Row], object]) -> bool:
    try:
        reader(json_object(line))
    except StudyError:
        return False
    return True


def repair(path: Path) -> None:
    """Cut off a last line that has no end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        text = file.read()
        if text and not text.endswith(b"\n"):
            file.truncate(text.rfind(b"\n") + 1)
            file.flush()
            os.fsync(file.fileno())
