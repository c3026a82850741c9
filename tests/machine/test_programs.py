"""Programs that are asked for facts: git of whose repository, and what never answers."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.machine import programs, versions
from support.paths import STUDY


def git(folder: Path, *arguments: str) -> None:
    """A command of git's, of somebody."""
    who = ["-c", "user.email=a@b", "-c", "user.name=x", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("place", ["venv/lib", "."])
@pytest.mark.parametrize("project", ["", '[project]\nname = "thesis"\n', "not TOML ["])
def test_a_repository_around_the_package_is_not_the_projects(
    tmp_path: Path, place: str, project: str
) -> None:
    """Copied into somebody's own repository, at its top or in an environment, with its own
    pyproject.toml or none: its tag is not this project's version.
    """
    home = tmp_path / "thesis"
    (home / place).mkdir(parents=True)
    shutil.copytree(STUDY, home / place / "study", ignore=shutil.ignore_patterns("__pycache__"))
    if project:
        (home / "pyproject.toml").write_text(project)
    git(home, "init")
    git(home, "commit", "--allow-empty", "-m", "t")
    git(home, "tag", "-am", "t", "thesis-final")
    code = "from study.machine.versions import project_version; print(project_version())"
    paths = [str(home / place), *(path for path in sys.path if "site-packages" in path)]
    told = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += sys.argv[1:]; {code}", *paths],
        env={**os.environ, "PYTHONPATH": ""},
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "thesis" not in told.stdout


def test_gits_own_variables_name_no_other_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they do inside a hook."""
    before = versions.project_version()
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "t")
    git(tmp_path, "tag", "-am", "t", "thesis-final")
    for name, value in (("GIT_DIR", ".git"), ("GIT_WORK_TREE", ""), ("GIT_INDEX_FILE", "index")):
        monkeypatch.setenv(name, str(tmp_path / value))
    assert versions.project_version() == before


@pytest.mark.parametrize("program", ["nvidia-smi", "git"])
def test_a_program_that_never_answers_is_asked_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    program: str,
) -> None:
    """With one limit, and a warning that names it."""
    asked = tmp_path / "asked"
    (tmp_path / program).write_text(f"#!/bin/sh\necho >> {asked}\nexec sleep 100\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(programs, "_silent", set())
    caplog.set_level(logging.WARNING)
    for _ in range(5):
        assert programs.answer_of([program, "--version"], limit=0.5) is None
    assert len(asked.read_text()) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{program} did not answer in 0.5 s, and is not asked again: what it knows is left out"
    ]


def test_a_program_that_fails_or_is_missing_says_nothing() -> None:
    """Without a word."""
    assert programs.answer_of(["false"]) is None
    assert programs.answer_of(["no-such-program"]) is None
    assert programs.answer_of(["echo", "here"]) == "here\n"
