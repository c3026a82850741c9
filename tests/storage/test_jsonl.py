"""Lines of JSON: what a field may hold, what is said of one that may not, how a file is written."""

from __future__ import annotations

import codecs
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from study.errors import StudyError
from study.storage import jsonl
from study.storage.jsonl import (
    LARGEST,
    LONGEST,
    Count,
    Fraction,
    Newer,
    Number,
    Positive,
    Seconds,
    convert,
)


@dataclass(frozen=True)
class Held:
    """A value of each kind."""

    any: Number = 0.0
    time: Seconds = 0.0
    size: Positive = 1.0
    share: Fraction = 0.0
    count: Count = 0
    names: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Named:
    """A field that must be there."""

    name: str
    other: int = 0


TINY = 5e-324


@pytest.mark.parametrize(
    ("field", "fine", "bad"),
    [
        ("any", [-LARGEST, -1.0, 0.0, LARGEST], [float("inf"), float("-inf"), float("nan")]),
        ("time", [0.0, TINY, LONGEST], [-TINY, 1.1 * LONGEST, float("inf")]),
        ("size", [TINY, 0.5, LARGEST], [0.0, -1.0, float("inf")]),
        ("share", [0.0, TINY, 1.0], [-TINY, 1.0000001]),
        ("count", [0, 1, 2**63 - 1], [-1, 2**63, 0.5]),
    ],
)
def test_bounds_belong_to_what_is_allowed(field: str, fine: list[Any], bad: list[Any]) -> None:
    """The next number beyond them does not."""
    for value in fine:
        assert getattr(convert({field: value}, Held), field) == value
    for value in bad:
        with pytest.raises(StudyError, match=f"the field '{field}' is"):
            convert({field: value}, Held)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"time": "1"}, "the field 'time' is '1', expected float"),
        ({"time": -1.0}, "the field 'time' is -1.0, expected float >= 0.0"),
        ({"time": float("inf")}, "the field 'time' is inf, expected float <= 10000000000.0"),
        ({"any": float("inf")}, "the field 'any' is inf, expected float"),
        ({"share": 2.0}, "the field 'share' is 2.0, expected float <= 1.0"),
        ({"names": {"a": 1}}, "the field 'names' is {'a': 1}, expected str"),
        ({"names": 1}, "the field 'names' is 1, expected object | null"),
    ],
)
def test_a_sentence_names_field_value_and_what_is_right(row: dict[str, Any], sentence: str) -> None:
    """The largest of all numbers is no bound that anybody would want to read."""
    with pytest.raises(StudyError) as told:
        convert(row, Held)
    assert str(told.value) == sentence


def test_fields_that_are_missing_or_too_many() -> None:
    """A newer version's field is let through, unless nothing else may stand there."""
    with pytest.raises(StudyError, match=r"^the field 'name' is missing$"):
        convert({"other": 1}, Named)
    assert convert({"name": "a", "more": 1}, Named) == Named("a")
    assert convert({"name": "a", "other": 1}, Named, closed=True) == Named("a", 1)
    with pytest.raises(StudyError, match=r"^the field 'more' is not known to this version$"):
        convert({"name": "a", "more": 1}, Named, closed=True)


@pytest.mark.parametrize("schema", [None, "1", 1.0, True, False, 0, -1])
def test_a_schema_that_never_was_is_refused(schema: object) -> None:
    """It is no newer one either."""
    with pytest.raises(StudyError, match=r"not one this version reads \(1 to 2\)") as told:
        jsonl.known_schema({"schema": schema}, 2)
    assert not isinstance(told.value, Newer)


def test_schemas_up_to_the_newest_are_known() -> None:
    """The next is of a newer version."""
    for schema in (1, 2):
        jsonl.known_schema({"schema": schema}, 2)
    with pytest.raises(Newer, match=r"schema 3 is of a newer version .* reads up to 2: update it"):
        jsonl.known_schema({"schema": 3}, 2)


def test_a_file_is_appended_to_however_little_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte; a new file may be read by all and written by its owner."""
    write = os.write
    monkeypatch.setattr("study.storage.jsonl.os.write", lambda to, text: write(to, text[:1]))
    path, before = tmp_path / "x", os.umask(0)
    try:
        jsonl.append(path, b"one\n")
    finally:
        os.umask(before)
    jsonl.append_line(path, {"two": 2})
    assert path.read_bytes() == b'one\n{"two": 2}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_an_error_names_the_file_that_was_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the draft, which is gone; the file is as it was."""
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(handle: int, text: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("study.storage.jsonl.os.write", full)
    for write in (jsonl.append, jsonl.replace):
        with pytest.raises(OSError, match="No space") as told:
            write(path, b"new")
        assert (told.value.filename, told.value.filename2) == (str(path), None)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """One that is there or not; a link stays one; a draft that was left behind counts for nothing;
    what is no file, such as a pipe, is written to.
    """
    path, link, pipe = (tmp_path / name for name in ("x", "link", "pipe"))
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    link.symlink_to("x")
    for text in (b"new", b"newer"):
        draft.write_bytes(b"left behind")
        jsonl.replace(link, text)
        assert path.read_bytes() == text
        assert link.is_symlink()
        assert not draft.exists()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    jsonl.replace(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_what_is_no_file_cannot_be_read(tmp_path: Path) -> None:
    """The sentence says why; a file that is not there has no lines."""
    with pytest.raises(StudyError, match="cannot be read: Is a directory"):
        jsonl.whole_lines(tmp_path)
    assert jsonl.whole_lines(tmp_path / "none") == []
    jsonl.cut_torn_line(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [b"[1]", b'"a"', b"1", b"null", b"{", b"[" * 200_000, b"\xff"])
def test_a_line_that_is_no_object_is_refused(text: bytes) -> None:
    """However deep it is."""
    with pytest.raises(StudyError, match=r"^not a JSON object$"):
        jsonl.json_object(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON), st.booleans(), st.booleans())
@example({"a": [1e400, -0.0, 2**70, "\ud800"]}, True, False)
def test_an_object_is_read_as_python_reads_it(row: jsonl.Row, ascii_: bool, mark: bool) -> None:
    """Also NaN, infinities, whole numbers of any size, and what an editor puts in front."""
    text = json.dumps(row, ensure_ascii=ascii_)
    line = text.encode("utf-8", "surrogatepass")
    read = jsonl.json_object(codecs.BOM_UTF8 * mark + line)
    assert repr(read) == repr(json.loads(text))


@pytest.mark.parametrize(
    ("text", "whole"), [(b'{"a": 1}\0\0\0', True), (b'{"a": \0', False), (b"\0\0", False)]
)
def test_zeros_at_the_end_are_cut_off(tmp_path: Path, text: bytes, whole: bool) -> None:
    """As a power cut leaves them; a row before them counts if it is whole."""
    path = tmp_path / "x"
    path.write_bytes(b'{"first": 1}\n' + text)
    rows = [{"first": 1}, *([{"a": 1}] if whole else [])]
    assert list(jsonl.read_rows(path, dict)) == rows
    jsonl.cut_torn_line(path)
    assert path.read_bytes() == b'{"first": 1}\n' + (b'{"a": 1}\n' if whole else b"")
    jsonl.cut_torn_line(path)
    assert list(jsonl.read_rows(path, dict)) == rows


def test_a_bad_line_is_named_and_told_how_to_mend(tmp_path: Path) -> None:
    """Lines are counted from one; what a newer version wrote is only named."""
    path = tmp_path / "x"
    path.write_bytes(b"bad\n")
    with pytest.raises(StudyError) as told:
        list(jsonl.read_rows(path, dict))
    assert str(told.value) == (
        f"{path}, line 1: not a JSON object; mend or remove the line (`run --repair` moves a "
        "study's bad lines aside)"
    )
    assert not isinstance(told.value, Newer)

    def newer(row: jsonl.Row) -> None:
        jsonl.known_schema(row, 1)

    path.write_bytes(b'{"schema": 1}\n{"schema": 2}\n')
    with pytest.raises(Newer, match="line 2: schema 2 is of a newer version"):
        list(jsonl.read_rows(path, newer))
    lines = (b'{"schema": 1}', b'{"schema": 2}', b'{"schema": 0}', b"bad")
    assert [jsonl.readable(line, newer) for line in lines] == [True, True, False, False]
