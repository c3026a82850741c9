"""Commands on the published measurements: an answer or a sentence, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.command import call
from support.tables.imports import CURVES, FILES, SIZES, curves_alone, grid, sizes

pytestmark = pytest.mark.slow


def test_an_import_says_what_it_holds_assumes_and_leaves_out(tmp_path: Path) -> None:
    """Whatever files it is given."""
    answer = call("import-published", FILES, "--out", tmp_path / "out")
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert lines[0] == (
        f"{tmp_path / 'out' / 'grid'}: 287 trials (6 optimizers, 48 rates, 1 width; target 97 %), "
        "6 validation curves"
    )
    assert "  without a row, and left missing: 1 of 288 trials" in lines
    assert (
        "  13 of these trials are assumed: they have no row, and count as capped at 240 s "
        "(--absent capped)"
    ) in lines
    assert sum(line.startswith("  likely: looks 4.9 s apart, ") for line in lines) == 1
    assert sum(line.startswith("  looks: of 45 gaps ") for line in lines) == 1
    assert lines[-1].startswith("Left out: 221 rows of training accuracy")
    two = (SIZES, FILES / "README.md")
    answer = call("import-published", *two, "--absent", "unknown", "--out", tmp_path / "b")
    assert "left missing: 13 of 216 trials (--absent unknown)" in answer.stdout
    assert f"Left out: {FILES / 'README.md'} (neither a .csv nor an .xlsx file)" in answer.stdout
    answer = call("import-published", FILES / "README.md", "--out", tmp_path / "c")
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"study: nothing to import in {FILES / 'README.md'} (neither")


@pytest.mark.parametrize("make", [grid, sizes, curves_alone])
def test_a_status_offers_nothing_to_go_on_with(make: Any) -> None:
    """An import is finished, whatever it lacks."""
    folder = make()
    answer = call("status", folder)
    assert answer.returncode == 0, answer.stderr
    assert ", imported: " in answer.stdout
    assert "these are published measurements" in answer.stdout
    for word in ("remain", "grid;", "--"):
        assert word not in answer.stdout
    facts = json.loads(call("status", folder, "--json").stdout)
    assert (facts["remaining"], facts["imported"]) == (0, True)


COMMANDS = ("tables", "figures", "claims", "report", "hindsight", "predict", "verify")


@pytest.mark.parametrize("make", [grid, sizes, curves_alone])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_or_says_why_not(make: Any, command: str, tmp_path: Path) -> None:
    """A sentence and exit code 2 where there is nothing to work on."""
    folder = make()
    out = {"figures": tmp_path / "drawn", "report": tmp_path / "r.html", "tables": tmp_path / "t"}
    answer = call(command, folder, *(["--out", out[command]] if command in out else []))
    alone = make is curves_alone
    fails = command in ("hindsight", "predict", "verify") or (
        alone and command in ("tables", "report")
    )
    assert answer.returncode == (2 if fails else 0), answer.stderr
    assert "Traceback" not in answer.stderr
    if fails:
        assert answer.stderr.count("\n") == 1
    elif command in ("tables", "figures"):
        assert "note: these are published measurements" in answer.stdout
    elif command == "report":
        page = (tmp_path / "r.html").read_text()
        assert "these are published measurements" in page
        assert "looked at every" not in page
        assert "at its best rate</" not in page
        measured = "287 of 288" if make is grid else "203 of 216"
        assert f"{measured} trials are stored" in " ".join(page.split())


def test_an_import_is_not_run_on(tmp_path: Path) -> None:
    """Neither trained nor joined with a study that was."""
    call("import-published", CURVES, "--out", tmp_path / "a")
    before = (tmp_path / "a" / "curves.jsonl").read_bytes()
    answer = call("run", "article", "--out", tmp_path / "a")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert (tmp_path / "a" / "curves.jsonl").read_bytes() == before
