"""Files of JSON lines: appended, flushed to the disk, repaired, read into dataclasses."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from study.errors import StudyError

Row = dict[str, Any]
"""A JSON object."""


T = TypeVar("T")


LARGEST = sys.float_info.max
"""The largest number of a row: JSON has no infinity, and NaN lies within no bounds."""


Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


_LARGEST = re.escape(repr(LARGEST))


def convert(row: Mapping[str, Any], kind: type[T], closed: bool = False) -> T:
    """Make a dataclass of a JSON object; the annotations of its fields say what is right.

    Args:
        row: the JSON object.
        kind: the dataclass.
        closed: refuse a field that the dataclass lacks; a row of a newer version may have one.

    Raises:
        StudyError: a field is missing, or its value is of another type or out of bounds.
    """
    known = {field.name for field in fields(kind)} if closed else set(row)  # type: ignore[arg-type]
    for name in row:
        if name not in known:
            raise StudyError(f"the field {name!r} is not known to this version")
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise StudyError(_sentence(str(error), row)) from None


def _sentence(error: str, row: Mapping[str, Any]) -> str:
    """What msgspec says, with the field first and its value beside what was expected."""
    what, _, path = error.partition(" - at `$.")
    name = re.split(r"[.\[`]", path.removeprefix("trial."))[0]
    if missing := re.search("missing required field `(.+)`", what):
        return f"the field '{missing[1]}' is missing"
    if not name:
        return what
    wanted = re.sub(rf"[`]|, got .*|>= -{_LARGEST}|<= {_LARGEST}", "", what).strip()
    wanted = wanted[0].lower() + wanted[1:] if wanted.startswith("Expected") else "not a known word"
    return f"the field '{name}' is {row.get(name)!r}, {wanted}"


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON line, and wait until the disk has it."""
    append(path, json.dumps(row, allow_nan=False).encode() + b"\n")


def append(path: Path, text: bytes) -> None:
    """Append to a file, and wait until the disk has it."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while text:
            text = text[os.write(handle, text) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, text: bytes) -> None:
    """Replace what a file holds, as a whole or not at all."""
    # Several studies may write one file of step times: each has a draft of its own.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)
        append(draft, text)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file; none if there is no file.

    A last line without its end is left out: a process is writing it, or died while it did.
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
        StudyError: the line holds something else.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise StudyError("not a JSON object")
    return row


def read_rows(path: Path, reader: Callable[[Row], T]) -> Iterator[T]:
    """Read a file line by line.

    Args:
        path: the file; a file that does not exist has no lines.
        reader: makes a row of a JSON object, or raises `StudyError`.

    Returns:
        What `reader` makes of each line.

    Raises:
        StudyError: a line is not a JSON object, or `reader` refuses it; the sentence names the
            line.
    """
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            yield reader(json_object(line))
        except StudyError as error:
            raise StudyError(
                f"{path}, line {number}: {error}; mend or remove the line (`run --repair` moves "
                "a study's bad lines aside)"
            ) from None


def readable(line: bytes, reader: Callable[[Row], object]) -> bool:
    """Whether `reader` accepts the line."""
    try:
        reader(json_object(line))
    except StudyError:
        return False
    return True


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that has no end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        text = file.read()
        if text and not text.endswith(b"\n"):
            file.truncate(text.rfind(b"\n") + 1)
            file.flush()
            os.fsync(file.fileno())
