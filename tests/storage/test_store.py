"""Runs on disk: what is written is read, whatever cut the writing short."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.jsonl import append_line, read_rows
from study.storage.records import Outcome
from study.storage.store import Store
from support.paths import ROOT
from support.records import FINISH, RUN, TRIALS, after


def test_runs_and_checks_are_appended_and_read(folder: Path) -> None:
    """In the order in which they ended, with accuracy and loss at every check."""
    store = Store(folder)
    with store.writing():
        for trial in TRIALS[:3]:
            store.append(replace(RUN, trial=trial), FINISH)
    assert [run.trial for run in store.runs()] == TRIALS[:3]
    assert store.checks()[TRIALS[1].id].accuracy == (0.5, 0.9, 0.98)
    assert store.checks()[TRIALS[1].id].loss == (2.0, 0.5, 0.1)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda row: b"garbage", "not a JSON object"),
        (lambda row: b"[1]", "not a JSON object"),
        (lambda row: b"\0\0\0", "not a JSON object"),
        (lambda row: json.dumps({**row, "schema": 99}).encode(), "schema 99"),
        (
            lambda row: json.dumps({k: v for k, v in row.items() if k != "steps"}).encode(),
            "'steps' is missing",
        ),
        (lambda row: json.dumps({**row, "outcome": "lost"}).encode(), "lost"),
        (
            lambda row: json.dumps({**row, "steps": "150"}).encode(),
            "'steps' is '150', expected int",
        ),
        (lambda row: json.dumps({**row, "steps": True}).encode(), "expected int"),
        (lambda row: json.dumps({**row, "seconds": None}).encode(), "'seconds' is None"),
        (lambda row: json.dumps({**row, "seconds": float("nan")}).encode(), "'seconds' is nan"),
        (lambda row: json.dumps({**row, "versions": {"python": 3}}).encode(), "'versions'"),
        (lambda row: json.dumps({**row, "optimizer": "magic"}).encode(), "unknown optimizer"),
        (lambda row: json.dumps({**row, "learning_rate": 0.5}).encode(), "the row was altered"),
    ],
)
def test_a_bad_line_is_named_by_its_number(
    folder: Path, spoil: Callable[[dict[str, Any]], bytes], words: str
) -> None:
    """Not skipped, not fatal without a word."""
    store = Store(folder)
    with store.writing():
        store.append(RUN, None)
        with store.runs_path.open("ab") as file:
            file.write(spoil(RUN.to_json()) + b"\n")
        store.append(replace(RUN, trial=TRIALS[1]), None)
    with pytest.raises(StudyError, match="line 2") as caught:
        store.runs()
    assert words in str(caught.value)


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=5))
def test_any_file_is_read_or_refused_in_one_sentence(lines: list[bytes]) -> None:
    """Never another exception."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "runs.jsonl"
        path.write_bytes(b"\n".join(lines))
        try:
            rows = list(read_rows(path, dict))
            assert all(isinstance(row, dict) for row in rows)
            assert len(rows) <= len(lines)
        except StudyError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_trial_stored_twice_counts_once(folder: Path) -> None:
    """The first stands, unless it failed."""
    store = Store(folder)
    with store.writing():
        store.append(RUN, None)
        store.append(after(1), None)
        store.append(replace(RUN, trial=TRIALS[1], outcome=Outcome.FAILED, error="no memory"), None)
        store.append(after(2, trial=TRIALS[1]), None)
    assert [run.steps for run in store.runs()] == [150, 2]


@pytest.mark.parametrize(
    "row", [{}, {"id": "x"}, {"id": "x", "check_every": 50, "accuracy": [None], "loss": []}]
)
def test_a_damaged_line_of_checks_or_curves_is_named(folder: Path, row: dict[str, Any]) -> None:
    """As one of runs is."""
    store = Store(folder)
    with store.writing():
        append_line(store.checks_path, row)
        append_line(store.curves_path, row)
    for read in (store.checks, store.curves):
        with pytest.raises(StudyError, match="line 1"):
            read()


def test_a_second_writer_is_refused_and_a_dead_one_is_not_in_the_way(folder: Path) -> None:
    """The system drops the lock with its process."""
    code = f"""
import sys, time; from pathlib import Path; from study.storage.store import Store
with Store(Path({str(folder)!r})).writing():
    print("held", flush=True); time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StudyError, match="another process is running"), Store(folder).writing():
            pass
        holder.kill()
    with Store(folder).writing():
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """One sentence, no traceback."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(
            StudyError, match="file is a file, where a folder is needed: give --out another place"
        ),
        Store(tmp_path / "file" / "study").writing(),
    ):
        pass


def test_infinity_is_never_written(folder: Path) -> None:
    """JSON has no NaN and no infinity; a reader elsewhere must not stumble."""
    folder.mkdir()
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_line(folder / "x.jsonl", {"value": float("nan")})
    assert not (folder / "x.jsonl").exists()


def test_a_folder_without_a_study_is_refused(folder: Path) -> None:
    """The sentence names the file that is not there."""
    with pytest.raises(StudyError, match=r"no spec\.json"):
        Store(folder).spec()


WHOLE = StudySpec().to_json()


def test_the_spec_that_is_damaged_below_is_whole(folder: Path) -> None:
    """Or the test would prove nothing."""
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps({"schema": 1, "spec": WHOLE}))
    assert Store(folder).spec() == StudySpec()


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "x",
            "[]",
            "{}",
            '{"schema": 1, "spec": [1]}',
            '{"schema": 1, "spec": null}',
            '{"schema": 1, "spec": {}}',
        ],
        json.dumps({"spec": WHOLE}),
        json.dumps({"schema": 99, "spec": WHOLE}),
        json.dumps({"schema": 1, "spec": {**WHOLE, "name": 5}}),
        json.dumps({"schema": 1, "spec": {**WHOLE, "surprise": 1}}),
        json.dumps(
            {"schema": 1, "spec": {key: value for key, value in WHOLE.items() if key != "cap"}}
        ),
    ],
)
def test_a_damaged_spec_is_refused_by_name(folder: Path, text: str) -> None:
    """One sentence that begins with the path."""
    folder.mkdir()
    (folder / "spec.json").write_text(text)
    with pytest.raises(StudyError, match=r"spec\.json") as caught:
        Store(folder).spec()
    assert "\n" not in str(caught.value)


def test_a_folder_keeps_to_what_it_was_made_for(tmp_path: Path) -> None:
    """The same settings again are fine; others, and a file without any, are refused."""
    store = Store(tmp_path)
    for _ in range(2):
        store.settle("contest.json", {"budget": 6000, "rates": (1, 2)}, "contest")
    before = (tmp_path / "contest.json").read_bytes()
    with pytest.raises(StudyError, match=r"holds another contest \(see contest\.json\)"):
        store.settle("contest.json", {"budget": 600, "rates": (1, 2)}, "contest")
    assert (tmp_path / "contest.json").read_bytes() == before
    (tmp_path / "contest.json").write_text("[]")
    with pytest.raises(StudyError, match=r"contest\.json cannot be read \(not a JSON object\)"):
        store.settle("contest.json", {}, "contest")


def test_a_store_tells_the_digest_of_its_data(tmp_path: Path) -> None:
    """None where there is no spec, or one that does not tell."""
    store = Store(tmp_path)
    assert store.digest() is None
    store.write(store.spec_path, {"dataset_md5": "0123"})
    assert store.digest() == "0123"
    store.write(store.spec_path, {"schema": 1})
    assert store.digest() is None


def test_a_loss_just_below_infinity_is_read(tmp_path: Path) -> None:
    """A lane that diverges is looked at until its loss is no number; infinity itself is refused."""
    store = Store(tmp_path)
    row = {"id": "a", "check_every": 50, "accuracy": [0.1], "loss": [1.7e308]}
    append_line(store.checks_path, row)
    assert store.checks()["a"].loss == (1.7e308,)
    store.checks_path.write_text(
        '{"id": "a", "check_every": 50, "accuracy": [0.1], "loss": [1e999]}\n'
    )
    with pytest.raises(StudyError, match=r"the field 'loss\[0\]' is"):
        store.checks()
