"""Files of JSON lines: appended, flushed to the disk, repaired, read into dataclasses."""

from __future__ import annotations

import codecs
import json
import os
import re
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from study.errors import StudyError

Row = dict[str, Any]
"""A JSON object."""


T = TypeVar("T")


ZEROS = b"\0"
"""What a power cut may leave at the end of a file."""


LARGEST = sys.float_info.max
"""The largest number of a row: JSON has no infinity, and NaN lies within no bounds."""


LONGEST = 1e10
"""The largest number of seconds of a row: three hundred years."""


Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
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
    value, place = row.get(name), re.search(r"\[(\d+)\]", path)
    if place and isinstance(value, list | tuple):
        value, name = value[int(place[1])], f"{name}[{place[1]}]"
    return f"the field '{name}' is {reprlib.repr(value)}, {wanted}"


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON line, and wait until the disk has it."""
    append(path, json.dumps(row, allow_nan=False).encode() + b"\n")


def append(path: Path, text: bytes) -> None:
    """Append to a file, and wait until the disk has it; an `OSError` names the file."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while text:
            text = text[os.write(handle, text) :]
        os.fsync(handle)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(handle)


def replace(path: Path, text: bytes) -> None:
    """Replace what a file holds, as a whole or not at all."""
    if path.exists() and not path.is_file():  # a device, such as /dev/stdout, has no other place
        path.write_bytes(text)
        return
    path = Path(os.path.realpath(path))  # a link stays one
    # Several studies may write one file of step times: each has a draft of its own.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)
        append(draft, text)
        os.replace(draft, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        draft.unlink(missing_ok=True)


class Newer(StudyError):
    """A row that a newer version of this program wrote; this one leaves it alone."""


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file; none if there is no file.

    A last line that is torn is left out: a process is writing it, or died while it did. One that
    lacks only its newline is whole: an editor or a copy took the newline away.
    """
    try:
        *lines, last = path.read_bytes().split(b"\n")
        last = last.rstrip(ZEROS)
        return [*lines, last] if _is_whole(last) else lines
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from None


def _is_whole(line: bytes) -> bool:
    """Whether a line without its newline is a row: no beginning of a JSON object is one itself."""
    try:
        json_object(line)
    except StudyError:
        return False
    return True


def json_object(line: bytes) -> Row:
    """The JSON object in a line; a mark that an editor put in front of the file is no part of it.

    Raises:
        StudyError: the line holds something else.
    """
    row, text = None, line.removeprefix(codecs.BOM_UTF8)
    for decode in (msgspec.json.decode, json.loads):  # the second is slower, and takes NaN
        with suppress(ValueError, RecursionError):
            row = decode(text)
            break
    if not isinstance(row, dict):
        raise StudyError("not a JSON object")
    return row


def read_rows(path: Path, reader: Callable[[Row], T]) -> Iterator[T]:
    """Read a file line by line; blank lines are skipped.

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
        if not line.strip():
            continue
        try:
            yield reader(json_object(line))
        except Newer as error:
            raise Newer(f"{path}, line {number}: {error}") from None
        except StudyError as error:
            raise StudyError(
                f"{path}, line {number}: {error}; mend or remove the line (`run --repair` moves "
                "a study's bad lines aside)"
            ) from None


def readable(line: bytes, reader: Callable[[Row], object]) -> bool:
    """Whether `reader` accepts the line, or leaves it to a newer version."""
    try:
        reader(json_object(line))
    except Newer:
        return True
    except StudyError:
        return False
    return True


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that is torn; one that lacks only its newline gets it."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        text = file.read()
        begin = text.rfind(b"\n") + 1
        if begin == len(text):
            return
        last = text[begin:].rstrip(ZEROS)
        end = begin
        if _is_whole(last):
            file.seek(begin + len(last))
            file.write(b"\n")
            file.flush()
            end = begin + len(last) + 1
        file.truncate(end)
        file.flush()
        os.fsync(file.fileno())


def known_schema(row: Mapping[str, Any], newest: int) -> None:
    """Check the version of a row's format.

    Args:
        row: a JSON object.
        newest: the newest schema that this version of the program reads.

    Raises:
        Newer: a newer version of the program wrote the row.
        StudyError: the row states no schema, or none there ever was.
    """
    schema = row.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise StudyError(f"schema {schema!r} is not one this version reads (1 to {newest})")
    if schema > newest:
        raise Newer(
            f"schema {schema} is of a newer version of this program, and this one reads up to "
            f"{newest}: update it"
        )
