"""Folders that do not belong together, and merges that were cut short."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.across import Across, add_check, checks_of
from study.storage.merging import merge
from study.storage.reference import Reference
from study.storage.store import Store
from support.parabola import MACHINE
from support.parts import SPEC, TRIALS, failed, files, part
from support.records import RUN


def spoilt(store: Store, spoil: Callable[[dict[str, Any]], dict[str, Any]]) -> Store:
    """The folder with its last row changed."""
    *lines, last = store.runs_path.read_text().splitlines()
    text = "\n".join([*lines, json.dumps(spoil(json.loads(last)))])
    store.runs_path.write_text(f"{text}\n")
    return store


CAPLESS = SPEC.with_(cap=None)
AGREED = Across("now", "test-machine", "ffff", "jax", "jax", "float32", 12, 12, 9, 1.0, 0.9, 1.1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: part(f, (), SPEC.with_(target=0.9)), r"target is 0\.97 .* and 0\.9 in"),
        (lambda f: part(f, (), SPEC.with_(cap=6.0)), r"cap is 5\.0 .* and 6\.0 in"),
        (lambda f: part(f, digest="e"), "dataset_md5 is d in the first and e in"),
        (lambda f: part(f, fingerprint="ffff"), r"reference is .*0123abcd.* and .*ffff"),
        (lambda f: part(f, engine="jax"), "reference is .*tensorflow .* and .*jax"),
        (
            lambda f: spoilt(part(f), lambda row: {**row, "schema": 2}),
            "line 6: schema 2 is of",
        ),
        (lambda f: spoilt(part(f), lambda row: {**row, "new": 1}), "the field 'new' is not known"),
        (lambda f: Store(f), "holds no study"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    tmp_path: Path, make: Callable[[Path], Store], words: str
) -> None:
    """In one sentence, before anything is written: beside the first folder or the one to add to."""
    one, other = part(tmp_path / "one"), make(tmp_path / "other")
    out = Store(tmp_path / "out")
    with pytest.raises(StudyError, match=words) as caught:
        merge([one, other], out)
    assert str(other.folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.folder.exists()
    before = files(one.folder)
    with pytest.raises(StudyError, match=words):
        merge([other], one)
    assert files(one.folder) == before


def test_seconds_of_other_machines_are_joined_where_the_budget_is_in_steps(tmp_path: Path) -> None:
    """The first one's reference stays; engines on one machine still do not mix."""
    one = part(tmp_path / "1", CAPLESS.trials()[:3], CAPLESS)
    two = part(tmp_path / "2", CAPLESS.trials()[3:], CAPLESS, fingerprint="ffff")
    out = Store(tmp_path / "out")
    assert merge([one, two], out).missing == ()
    assert out.reference() == Reference("test-machine", "0123abcd", RUN.software)
    jax = part(tmp_path / "3", CAPLESS.trials()[3:], CAPLESS, engine="jax")
    with pytest.raises(StudyError, match="engine is tensorflow in float32"):
        merge([one, jax], out)
    add_check(jax.folder, AGREED)
    merge([one, jax], out)
    merge([one, jax], out)
    assert checks_of(out.folder) == [AGREED], "the check comes along, once"


def test_a_folder_without_rows_has_no_say_in_the_reference(tmp_path: Path) -> None:
    """As that of an empty shard on another machine; but the folder to add to keeps its own."""
    one, empty = part(tmp_path / "1"), part(tmp_path / "2", ())
    other = Reference("other", "ffff", "test")
    empty.write_spec(SPEC, "d", other)
    out = Store(tmp_path / "out")
    assert merge([empty, one], out).missing == ()
    assert out.reference() == one.reference(one.runs())
    with pytest.raises(StudyError, match="reference is other"):
        merge([one], empty)
    assert empty.reference() == other


def test_runs_without_a_spec_are_not_added_to(tmp_path: Path) -> None:
    """As a run would refuse them; and nothing is merged into itself that is no study."""
    one, lost = part(tmp_path / "1"), part(tmp_path / "2")
    lost.spec_path.unlink()
    before = files(lost.folder)
    with pytest.raises(StudyError, match=r"holds runs but no spec\.json"):
        merge([one], lost)
    assert files(lost.folder) == before
    with pytest.raises(StudyError, match="holds no study"):
        merge([lost], lost)


class Killed(BaseException):
    """What no `except` of the program catches."""


def test_a_merge_killed_at_any_write_goes_on_and_gives_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before every write, or in the middle of it, which leaves a torn line."""
    other = replace(MACHINE, cores=4)
    sources = [
        failed(TRIALS[:2], tmp_path / "1"),
        part(tmp_path / "2", TRIALS[1:4], machine=other),
        part(tmp_path / "3", TRIALS[3:]),
    ]
    whole = Store(tmp_path / "whole")
    merge(sources, whole)
    write, left, half = os.write, [0], [False]

    def torn(handle: int, text: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            write(handle, text[: len(text) // 2 if half[0] else 0])
            raise Killed
        return write(handle, text)

    monkeypatch.setattr("study.storage.jsonl.os.write", torn)
    out, at = Store(tmp_path / "out"), 0
    for half[0] in (False, True):
        for at in range(1000):
            shutil.rmtree(out.folder, ignore_errors=True)
            left[0] = at
            try:
                merge(sources, out)
                break
            except Killed:
                left[0] = 1000
                merge(sources, out)
            assert files(out.folder) == files(whole.folder)
        assert at > 15


def test_a_merge_cut_at_any_line_goes_on(tmp_path: Path) -> None:
    """As a power cut leaves files of which each has lost its last lines."""
    sources = [part(tmp_path / "1", TRIALS[:3]), part(tmp_path / "2", TRIALS[3:])]
    whole = Store(tmp_path / "whole")
    merge(sources, whole)
    for path in (whole.runs_path, whole.checks_path, whole.curves_path, whole.spent_path):
        lines = path.read_bytes().splitlines(keepends=True)
        for cut in range(len(lines)):
            out = Store(tmp_path / "out")
            shutil.rmtree(out.folder, ignore_errors=True)
            shutil.copytree(whole.folder, out.folder)
            (out.folder / path.name).write_bytes(b"".join(lines[:cut]))
            merge(sources, out)
            if path != whole.checks_path:  # which are on the disk before their runs
                assert files(out.folder) == files(whole.folder)


@pytest.mark.parametrize(
    ("check", "fine"),
    [
        (None, False),
        (AGREED, True),
        (replace(AGREED, high=1.3), False),
        (replace(AGREED, precision="tf32"), False),
        (replace(AGREED, engine="tensorflow"), True),
        (replace(AGREED, engine="other"), False),
    ],
)
@pytest.mark.parametrize("where", [0, 1])
def test_engines_mix_where_a_check_shows_that_one_takes_the_others_steps(
    tmp_path: Path, check: Across | None, fine: bool, where: int
) -> None:
    """Whichever folder has it."""
    trials = CAPLESS.trials()
    stores = [
        part(tmp_path / "1", trials[:1], CAPLESS),
        part(tmp_path / "2", trials[1:2], CAPLESS, engine="jax"),
    ]
    if check:
        add_check(stores[where].folder, check)
    if fine:
        assert merge(stores, Store(tmp_path / "out")).added == 2
    else:
        with pytest.raises(StudyError) as told:
            merge(stores, Store(tmp_path / "out"))
        assert str(told.value) == (
            f"{stores[0].folder} and {stores[1].folder} cannot be merged: engine is tensorflow in "
            "float32 in the first and jax in float32 in the second, and must be the same"
        )


def test_a_folder_that_mixes_engines_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    """It was made on purpose; another one must still fit its first rows."""
    trials = CAPLESS.trials()
    mixed = part(tmp_path / "1", trials[:1], CAPLESS)
    with mixed.writing():
        mixed.append(replace(RUN, trial=trials[1], engine="jax"))
    like, unlike = (
        part(tmp_path / name, trials[2:3], CAPLESS, engine=name) for name in ("tensorflow", "jax")
    )
    assert merge([mixed, like], Store(tmp_path / "fine")).added == 3
    with pytest.raises(StudyError, match="engine is tensorflow in float32 in the first and jax"):
        merge([mixed, unlike], Store(tmp_path / "out"))


def test_every_folder_is_held_to_the_first_that_has_a_reference(tmp_path: Path) -> None:
    """Not the next alone."""
    empty, one, two = (
        part(tmp_path / str(i), trials, fingerprint=f"f{i}")
        for i, trials in enumerate(((), TRIALS[:1], TRIALS[1:2]))
    )
    out = Store(tmp_path / "out")
    with pytest.raises(StudyError, match=r"reference is .*f1.* and .*f2"):
        merge([empty, one, two], out)
    assert merge([empty, one], out).added == 1
    with pytest.raises(StudyError, match=r"reference is .*f1.* and .*f2"):
        merge([two], out)


def test_a_folder_whose_data_are_not_told_is_refused(tmp_path: Path) -> None:
    """Two of them would be any two."""
    one = part(tmp_path / "1")
    row = json.loads(one.spec_path.read_text())
    del row["dataset_md5"]
    one.write(one.spec_path, row)
    with pytest.raises(StudyError, match=r"spec\.json does not tell the MD5 of its data"):
        merge([one], Store(tmp_path / "out"))


@pytest.mark.parametrize("name", ["spent.jsonl", "checks.jsonl", "curves.jsonl", "across.jsonl"])
def test_a_bad_line_beside_the_runs_is_not_passed_on(tmp_path: Path, name: str) -> None:
    """It is named as one of the runs is; blank lines are none."""
    one = part(tmp_path / "1")
    lines = (one.folder / name).read_bytes() if (one.folder / name).exists() else b""
    (one.folder / name).write_bytes(b"\n" + lines + b" \n")
    merge([one], Store(tmp_path / "fine"))
    (one.folder / name).write_bytes(lines + b"{}\n")
    with pytest.raises(StudyError, match=f"{name}, line "):
        merge([one], Store(tmp_path / "out"))


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (SPEC, {"digest": "e"}),
        (SPEC.with_(target=0.9), {}),
        (SPEC, {"fingerprint": "ffff"}),
        (CAPLESS, {"engine": "jax"}),
    ],
)
def test_the_sentence_names_the_first_folder_and_the_one_that_differs(
    tmp_path: Path, spec: StudySpec, changes: dict[str, Any]
) -> None:
    """Of three, the third."""
    first = spec if spec is CAPLESS else SPEC
    one, two = (part(tmp_path / name, first.trials()[:1], first) for name in "ab")
    three = part(tmp_path / "c", spec.trials()[1:2], spec, **changes)
    with pytest.raises(StudyError) as told:
        merge([one, two, three], Store(tmp_path / "out"))
    assert str(told.value).startswith(f"{one.folder} and {three.folder} cannot be merged: ")
