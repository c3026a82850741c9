"""Files of rows: what is a row, what is torn, what a newer version wrote, what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.storage.jsonl import append_line, cut_torn_line, read_rows
from study.storage.store import Store
from support.records import FINISH, RUN, TRIALS


@given(st.binary(max_size=300))
def test_repair_leaves_whole_lines_alone(text: bytes) -> None:
    """What is cut off is exactly what follows the last line's end, unless that is a whole row."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "lines"
        path.write_bytes(text)
        cut_torn_line(path)
        assert path.read_bytes() == text[: text.rfind(b"\n") + 1]
        path.write_bytes(text + b'\n{"a": {"b": "}"}}')
        cut_torn_line(path)
        assert path.read_bytes() == text + b'\n{"a": {"b": "}"}}\n'


ROW = {"id": "x", "text": 'brace } and "quote"', "values": [1.5, None], "deep": {"a": {}}}


@given(st.integers(0, len(json.dumps(ROW))))
def test_a_last_row_counts_if_and_only_if_it_is_whole(length: int) -> None:
    """Cut anywhere, by a kill or an editor: reading and the next writer agree, and a writer's next
    row stands on a line of its own.
    """
    import tempfile

    text = json.dumps(ROW).encode()[:length]
    whole = length == len(json.dumps(ROW))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "lines"
        path.write_bytes(b'{"first": 1}\n' + text)
        assert list(read_rows(path, dict)) == [{"first": 1}, *([ROW] if whole else [])]
        cut_torn_line(path)
        append_line(path, {"last": 2})
        assert list(read_rows(path, dict)) == [
            {"first": 1},
            *([ROW] if whole else []),
            {"last": 2},
        ]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"   \n", b"\n\n\t\n"])
def test_blank_lines_are_no_rows(folder: Path, blank: bytes) -> None:
    """Wherever they stand; a repair finds nothing bad, and the number of a bad line counts them."""
    store = Store(folder)
    with store.writing():
        for trial in TRIALS[:2]:
            store.append(replace(RUN, trial=trial), FINISH)
    first, second = store.runs_path.read_bytes().splitlines(keepends=True)
    store.runs_path.write_bytes(blank + first + blank + second + blank)
    assert [run.trial for run in store.runs()] == TRIALS[:2]
    assert store.set_aside() == {}
    store.runs_path.write_bytes(blank + first + b"bad\n")
    number = len(blank.splitlines()) + 2
    with pytest.raises(StudyError, match=f"line {number}: not a JSON"):
        store.runs()


def test_a_newer_versions_rows_are_left_alone(folder: Path) -> None:
    """The sentence says so and advises nothing that would lose them; a repair moves only what is
    bad.
    """
    store = Store(folder)
    with store.writing():
        for trial in TRIALS[:2]:
            store.append(replace(RUN, trial=trial), FINISH)
    first, second = store.runs_path.read_bytes().splitlines(keepends=True)
    newer = second.replace(b'"schema": 1', b'"schema": 2, "unheard_of": {}')
    store.runs_path.write_bytes(first + newer)
    with pytest.raises(StudyError, match="line 2: schema 2 is of a newer version") as told:
        store.runs()
    assert "repair" not in str(told.value)
    assert "remove" not in str(told.value)
    store.runs_path.write_bytes(first + b"bad\n" + newer)
    with store.writing():
        assert list(store.set_aside().values()) == [1]
    assert store.runs_path.read_bytes() == first + newer
    spec = {"schema": 3, "spec": {"future": True}}
    store.write(store.spec_path, spec)
    with pytest.raises(StudyError, match="schema 3 is of a newer version"):
        store.spec()


@pytest.mark.parametrize(("best", "fine"), [(0.9699, False), (0.97, True), (1.0, True)])
def test_a_row_that_reached_is_at_its_target(folder: Path, best: float, fine: bool) -> None:
    """Exactly the target is reached; below it the row was altered, and would be an arrival."""
    store = Store(folder)
    folder.mkdir()
    row = {**RUN.to_json(), "outcome": "reached", "accuracy": best, "best_accuracy": best}
    store.runs_path.write_text(json.dumps(row) + "\n")
    assert row["target"] == 0.97
    if fine:
        assert len(store.runs()) == 1
    else:
        with pytest.raises(StudyError, match=r"below the target 0\.97: the row was altered"):
            store.runs()


def test_what_an_editor_adds_is_no_part_of_a_row(folder: Path) -> None:
    """A byte-order mark in front of the file, and the line ends of another system."""
    store = Store(folder)
    with store.writing():
        for trial in TRIALS[:2]:
            store.append(replace(RUN, trial=trial), FINISH)
        store.write(store.spec_path, {"schema": 1, "dataset_md5": "d"})
    for path in (store.runs_path, store.checks_path, store.spec_path):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [run.trial for run in store.runs()] == TRIALS[:2]
    assert len(store.checks()) == 2
    assert store.digest() == "d"
    with store.writing():
        assert store.set_aside() == {}
        store.append(replace(RUN, trial=TRIALS[2]))
    assert [run.trial for run in store.runs()] == TRIALS[:3]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("seconds", value) for value in (-1.0, float("nan"), float("inf"), "2")),
        *(("steps", value) for value in (-5, 2.5, True)),
        *(("accuracy", value) for value in (-0.1, 1.5, 97)),
        *(("best_accuracy", value) for value in (-0.1, 97.0)),
        *(("lanes", value) for value in (-1, 0.5)),
        ("step_seconds", -1e-9),
    ],
)
def test_impossible_numbers_are_refused(folder: Path, field: str, value: object) -> None:
    """They would be the best of all."""
    store = Store(folder)
    folder.mkdir()
    row = {**RUN.to_json(), field: value}
    store.runs_path.write_text(json.dumps(row) + "\n")
    with pytest.raises(StudyError, match=f"line 1: .*(field '{field}'|NaN|Infinity|not a JSON)"):
        store.runs()
