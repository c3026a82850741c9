"""What those who carry on rely on: the guide's diffs, the hooks and workflows, the citation."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paths import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFFS = re.findall(r"### (.+?)\n.*?```diff\n(.*?)```", GUIDE, re.DOTALL)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_guide_shows_every_kind_of_addition() -> None:
    """One diff each."""
    assert [kind for kind, _ in DIFFS] == [
        "An optimizer",
        "A network",
        "A claim",
        "A figure",
        "An engine",
        "An executor",
    ]


@pytest.mark.parametrize(("kind", "diff"), DIFFS)
def test_the_guides_diffs_apply_to_the_files(kind: str, diff: str) -> None:
    """So that the guide tells of these files, not of older ones."""
    command = ["git", "apply", "--check", "-C1", "-"]
    done = subprocess.run(
        command, input=diff, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def load(path: Path) -> Any:
    """A YAML file's values."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_jobs_with_steps_and_asks_for_little(path: Path) -> None:
    """It may read the repository, and runs only scripts that are there."""
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow[True]  # YAML reads the key `on` as true
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    for script in re.findall(r"scripts/\w+", "\n".join(step.get("run", "") for step in steps)):
        assert (ROOT / script).exists()


def test_the_tests_run_on_every_python_that_the_package_names() -> None:
    """The classifiers', each with a lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [
        line.split(" :: ")[-1]
        for line in project["classifiers"]
        if re.search(r"Python :: 3\.\d+$", line)
    ]
    matrix = load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == named
    assert all(
        (ROOT / f"requirements-{python}.lock").exists() for python in named if python != "3.11"
    )


def test_hooks_use_the_linter_that_is_pinned() -> None:
    """The version in requirements.txt."""
    hooks = {
        hook["id"]: repo
        for repo in load(ROOT / ".pre-commit-config.yaml")["repos"]
        for hook in repo["hooks"]
    }
    assert set(hooks) == {"ruff-check", "ruff-format", "mypy"}
    assert (
        f"ruff=={hooks['ruff-check']['rev'].removeprefix('v')}"
        in (ROOT / "requirements.txt").read_text().splitlines()
    )
    assert hooks["mypy"]["repo"] == "local"


def test_the_citation_is_of_this_version() -> None:
    """The name, version and licence of pyproject.toml; the change log has it, below what is not
    released.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = load(ROOT / "CITATION.cff")
    assert (citation["title"], citation["version"], citation["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert {"cff-version", "message", "authors", "type"} <= set(citation)
    headings = re.findall(
        r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings[0] == "Unreleased"
