"""Studies in TOML files, however they are named and saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.spec.presets import preset, read_spec
from support.command import call


def test_a_toml_file_starts_from_a_preset_and_names_the_study(tmp_path: Path) -> None:
    """Keys as on the command line; the name is the file's."""
    path = tmp_path / "mine.toml"
    path.write_text('preset = "quick"\nrates = "1e-3:1:4"\nmax-steps = 900\n')
    assert read_spec(path) == preset("quick").with_(name="mine", rates="1e-3:1:4", max_steps=900)


@pytest.mark.parametrize(
    "text", ["rates = ", "\0", "a = 1\na = 2", "seeds = 0", "surprise = 1", "[table]\nx = 1"]
)
def test_a_bad_toml_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """One sentence that begins with the path."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"bad\.toml") as caught:
        read_spec(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The sentence says what could be given instead."""
    with pytest.raises(StudyError, match="give a preset"):
        read_spec(tmp_path / "none.toml")


MARKED = {
    "utf-8": "utf-8",
    "utf-8 with a mark, as Notepad saves": "utf-8-sig",
    "utf-16, as PowerShell redirects": "utf-16",
    "utf-16 the other way": "utf-16-be",
}


@pytest.mark.parametrize("saved", MARKED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_toml_file_may_have_a_mark(tmp_path: Path, saved: str, end: str) -> None:
    """A byte-order mark in front shows in no editor."""
    path = tmp_path / "mine.toml"
    text = f'preset = "quick"{end}name = "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"{end}'
    mark = "\ufeff" if MARKED[saved] == "utf-16-be" else ""
    path.write_bytes((mark + text.replace("gr\xfcn", "green")).encode(MARKED[saved]))
    assert read_spec(path) == preset("quick").with_(name="green")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("STUDY.TOML", "STUDY"),
        ("my study.toml", "my-study"),
        ("Studie (2).Toml", "Studie-2"),
        ("_mine.toml", "mine"),
        ("\u03b7.toml", "study"),
    ],
)
def test_any_name_of_a_toml_file_will_do(tmp_path: Path, file: str, name: str) -> None:
    """The study's name has what a folder's may have of it."""
    path = tmp_path / file
    path.write_text('preset = "smoke"\n')
    answer = call("plan", path, "--out", tmp_path / "out")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"Study {name} in ")


@pytest.mark.parametrize(
    ("one", "other"),
    [("max-steps", "max_steps"), ("check_every", "check-every"), ("scale-dense", "scale_dense")],
)
def test_a_key_that_is_given_in_two_spellings_is_refused(
    tmp_path: Path, one: str, other: str
) -> None:
    """Neither silently wins."""
    path = tmp_path / "mine.toml"
    path.write_text(f'preset = "quick"\n{one} = 100\n{other} = 200\n')
    with pytest.raises(StudyError, match=f"{one.replace('-', '_')} is given twice"):
        read_spec(path)
