"""A study's folder: what its small files hold, and what becomes of lines that cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.records import Outcome, Run
from study.storage.reference import Reference
from study.storage.store import Store
from support.parts import part
from support.records import FINISH, RUN, TRIALS, after

HERE = Reference("test-machine", "0123abcd", RUN.software)
THERE = Reference("other", "ffff", "software")
SPEC = StudySpec(name="small")


def test_checks_are_rounded_and_stored_before_their_run(folder: Path) -> None:
    """Accuracy to four decimals, the loss to five digits; a run without checks has none."""
    store = Store(folder)
    with store.writing():
        store.append(RUN, replace(FINISH, accuracies=(0.123456,), losses=(0.0123456789,)))
        store.append(replace(RUN, trial=TRIALS[1]))
    (row,) = map(json.loads, store.checks_path.read_text().splitlines())
    assert row == {
        "id": RUN.id,
        "check_every": RUN.trial.check_every,
        "accuracy": [0.1235],
        "loss": [0.012346],
    }
    assert list(store.checks()) == [RUN.id]
    assert len(store.runs()) == 2


@pytest.mark.parametrize(
    ("ends", "kept"),
    [("fr", "r"), ("rf", "r"), ("ff", "f"), ("rr", "r"), ("ffr", "r"), ("frf", "r")],
)
def test_the_first_run_that_did_not_fail_counts(folder: Path, ends: str, kept: str) -> None:
    """Of failed ones the last; runs stand where their trial came first."""
    store = Store(folder)
    first = replace(RUN, trial=TRIALS[1])
    with store.writing():
        for place, end in enumerate(ends):
            outcome = Outcome.FAILED if end == "f" else Outcome.REACHED
            store.append(after(place, outcome=outcome))
            if not place:
                store.append(first)
    run, other = store.runs()
    place = len(ends) - 1 if kept == "f" else ends.index(kept)
    assert (run.steps, other) == (place, first)


def test_bad_lines_are_moved_aside_from_every_file(folder: Path) -> None:
    """They are added to those that were moved before, and none of the good ones is touched."""
    store = part(folder)
    before = {path: path.read_bytes() for path in store.readers}
    names = ["runs.jsonl", "checks.jsonl", "curves.jsonl", "spent.jsonl"]
    assert [path.name for path in before] == names
    for time in (1, 2):
        with store.writing():
            for path, text in before.items():
                path.write_bytes(b'{"bad": 1}\n' + text + b"bad\n" * time)
            moved = store.set_aside()
        assert moved == {folder / f"{name}.bad": 1 + time for name in names}
        assert {path: path.read_bytes() for path in before} == before
    for path in moved:
        assert path.read_bytes() == b'{"bad": 1}\nbad\n{"bad": 1}\nbad\nbad\n'
    assert store.set_aside() == {}


def test_a_torn_line_is_cut_off_by_the_next_writer(folder: Path) -> None:
    """Of the files that are appended to; the lock is free afterwards, even after an error."""
    store = part(folder)
    paths = (store.runs_path, store.checks_path, store.spent_path)
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_bytes(path.read_bytes() + b'{"torn')
    with store.writing():
        assert [path.read_bytes() for path in paths] == before
    with pytest.raises(KeyError), store.writing():
        raise KeyError
    with store.writing():
        pass


def test_a_writer_that_is_refused_does_not_wait(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for hours."""

    def wait(seconds: float) -> None:
        raise AssertionError(seconds)

    with Store(folder).writing():
        monkeypatch.setattr("time.sleep", wait)
        with pytest.raises(StudyError, match="another process is running"), Store(folder).writing():
            pass


def test_curves_are_replaced_all_or_none(folder: Path) -> None:
    """One that is no JSON leaves those that were there."""
    store = part(folder)
    row = json.loads(store.curves_path.read_text())
    store.write_curves([{**row, "seed": seed} for seed in (1, 2)])
    assert [curve.seed for curve in store.curves()] == [1, 2]
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_curves([{**row, "seed": 3}, {**row, "span": float("nan")}])
    assert [curve.seed for curve in store.curves()] == [1, 2]
    store.write_curves([])
    assert store.curves() == []


@pytest.mark.parametrize(
    ("text", "found"),
    [(None, {}), ("", {}), ("x", {}), ("[1]", {}), ('\ufeff{"a": 1}', {"a": 1})],
)
def test_what_cannot_be_read_of_a_machine_is_nothing(
    tmp_path: Path, text: str | None, found: dict[str, Any]
) -> None:
    """It is told to people and decides nothing."""
    store = Store(tmp_path)
    if text is not None:
        store.machine_path.write_text(text, encoding="utf-8")
    assert store.machine() == found


def test_the_reference_stays_until_another_is_named(tmp_path: Path) -> None:
    """Where the spec names none, the rows' own counts, and a row is not written into the spec."""
    store = Store(tmp_path)
    assert store.reference() is None
    store.write_spec(SPEC, "d")
    assert json.loads(store.spec_path.read_text()) == {
        "schema": 1,
        "dataset_md5": "d",
        "spec": json.loads(json.dumps(SPEC.to_json())),
    }
    assert store.reference() is None
    assert store.reference([RUN]) == HERE
    store.write_spec(SPEC, "d", THERE)
    store.write_spec(SPEC, "e")
    assert store.reference() == store.reference([RUN]) == THERE
    assert store.digest() == "e"
    store.write_spec(SPEC, "e", HERE)
    assert store.reference() == HERE
    assert store.spec() == SPEC


def test_small_files_are_for_people_too(tmp_path: Path) -> None:
    """A line a field, and a last line that ends."""
    store = Store(tmp_path)
    store.settle("contest.json", {"budget": 1}, "contest")
    assert (tmp_path / "contest.json").read_text() == '{\n "budget": 1\n}\n'
    assert store.settings("contest.json") == {"budget": 1}
    assert store.settings("cycles.json") is None


@pytest.mark.parametrize("name", ["digest", "reference"])
def test_a_small_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """With the reason: it is no JSON, or no file."""
    store = Store(tmp_path)
    store.spec_path.write_text("{")
    with pytest.raises(StudyError, match=r"spec\.json cannot be read \(not a JSON object\): rest"):
        getattr(store, name)()
    store.spec_path.unlink()
    store.spec_path.mkdir()
    for read in (getattr(store, name), store.spec):
        with pytest.raises(StudyError, match=r"spec\.json cannot be read \(Is a directory\): rest"):
            read()


@pytest.mark.parametrize("missing", ["cap", "prune", "schedule"])
def test_a_spec_from_before_a_field_was_there_is_read(tmp_path: Path, missing: str) -> None:
    """The fields that were added later alone; the first that is missing is named."""
    store = Store(tmp_path)
    store.write_spec(SPEC, "d")
    row = json.loads(store.spec_path.read_text())
    del row["spec"][missing]
    store.spec_path.write_text("\ufeff" + json.dumps(row), encoding="utf-8")
    if missing == "cap":
        del row["spec"]["mode"]
        store.write(store.spec_path, row)
        with pytest.raises(StudyError) as told:
            store.spec()
        assert str(told.value) == f"{store.spec_path}: the spec has no cap: restore the file"
    else:
        assert store.spec() == SPEC


@pytest.mark.parametrize(
    "values", [{"schema": 1}, {"schema": 1, "spec": 3}, {"schema": 1, "spec": []}]
)
def test_a_file_without_a_spec_holds_none(tmp_path: Path, values: dict[str, Any]) -> None:
    """Nor does a folder that is a file hold a study."""
    store = Store(tmp_path)
    store.write(store.spec_path, values)
    with pytest.raises(
        StudyError, match=r"cannot be read \(it holds no spec\)|the spec has no name"
    ):
        store.spec()
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(StudyError, match=r"holds no study \(no spec\.json in it\)"):
            Store(folder).spec()


def test_the_home_folder_is_written_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In all paths."""
    monkeypatch.setenv("HOME", str(tmp_path))
    store = Store(Path("~/study"))
    assert store.folder == tmp_path / "study"
    assert store.runs_path == tmp_path / "study" / "runs.jsonl"


def test_a_run_is_read_back_as_it_was(folder: Path) -> None:
    """With steps that are not known, and seconds of another machine."""
    runs = [
        replace(RUN, steps=None, step_seconds=None, accuracy=None, best_accuracy=None, error="e"),
        replace(RUN, trial=TRIALS[1], reference="f", device="cpu", form="direct", quiet=None),
    ]
    store = Store(folder)
    with store.writing():
        for run in runs:
            store.append(run)
    assert store.runs() == runs
    assert all(isinstance(run, Run) for run in store.runs())


@pytest.mark.parametrize("part", [".", "tables", "figures"])
@pytest.mark.parametrize(
    ("target", "fine"),
    [
        ("inside", True),
        ("not made yet", True),
        ("outside", False),
        ("link", False),
    ],
)
def test_a_link_that_leads_out_is_refused(
    tmp_path: Path, part: str, target: str, fine: bool
) -> None:
    """In the folder, its tables and its figures; also where a link leads to the folder itself. A
    circle leads nowhere.
    """
    real = tmp_path / "a" / "b"
    (real / part).mkdir(parents=True)
    (real / part / "inside").write_text("")
    outside = tmp_path / "outside"
    (real / part / "link").symlink_to(outside if target == "outside" else target)
    (tmp_path / "way").symlink_to(real)
    for folder in (real, tmp_path / "way"):
        store = Store(folder)
        if fine:
            with store.writing():
                pass
        else:
            with pytest.raises(StudyError, match="is a link that leads out of"), store.writing():
                pass


def test_what_is_no_link_may_lie_anywhere(tmp_path: Path) -> None:
    """Files and folders alike."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "best.csv").write_text("")
    with Store(tmp_path).writing():
        pass
