"""The site: built strictly, whole, and of files of its own alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import study
from study.cli.main import app

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FETCHED = re.compile(
    r"<(?:link|script|img|iframe|source)\b[^>]*\b(?:href|src)=[\"']?(?:https?:)?//"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dead link, anchor or reference, a page outside the menu or a docstring that names an
    argument that is not there ends the build.
    """
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture of another server."""
    pages = list(site.rglob("*.html"))
    assert pages
    assert not [page for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))]


def test_every_command_is_described(site: Path) -> None:
    """As the program itself describes it."""
    page = (site / "docs" / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "&lt;Path&gt;" in page  # no part of a text is taken for markup
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"<code>study {name}</code>" in page


def test_the_public_names_are_described(site: Path) -> None:
    """Functions and classes of `study`, and of its tables and figures."""
    pages = (site / "docs" / "reference" / "python").glob("*.html")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    described = set(re.findall(r'id="(study[\w.]*)"', text))
    for module in ("tables", "figures", "claims"):
        face = getattr(study, module)
        for name in face.__all__:
            thing = getattr(face, name)
            if callable(thing) and getattr(thing, "__module__", "").startswith("study."):
                assert f"{thing.__module__}.{thing.__name__}" in described
    assert {
        f"study.{name}" for name in ("run", "load", "find_rate", "schedule", "suggest")
    } <= described


def test_the_notebooks_are_pages_with_their_pictures(site: Path) -> None:
    """As they are stored."""
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = (site / "notebooks" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        pictures = re.findall(rf'src="({notebook.stem}-\d+\.png)"', page)
        assert len(pictures) >= 2
        assert all((site / "notebooks" / picture).exists() for picture in pictures)
