"""Results from elsewhere from the command line: imported, read, and never trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command import call
from support.imports import csv_of, rows

pytestmark = pytest.mark.slow


def test_an_import_from_its_command_line(tmp_path: Path) -> None:
    """It says what it took and what it does not know; then any target is asked for."""
    path, out = csv_of(rows(seconds=None), tmp_path / "runs.csv"), tmp_path / "out"
    done = call("import", path, "--out", out, "--columns", "seed=none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:5] == [
        f"{out}: 10 trials (2 optimizers, 5 rates): 8 capped, 2 diverged",
        "  rate: lr",
        "  optimizer: opt",
        "  step: epoch",
        "  metrics: loss, val_acc",
    ]
    assert "  not known: the machine, seeds, seconds" in done.stdout
    none = call("tables", out)
    assert "final val_acc" in none.stdout
    assert "no target is named" in none.stdout
    aimed = ("--metric", "loss", "--target", "0.1")
    for command in (("tables", out), ("figures", out, "--out", tmp_path / "drawn")):
        answer = call(*command, *aimed)
        assert answer.returncode == 0, answer.stderr
        assert "times are counted in epochs" in answer.stdout
    told = call("tables", out, *aimed).stdout
    assert "best rate  epochs, one draw\n" in told
    assert "seconds, one draw" not in told
    page = tmp_path / "page.html"
    assert call("report", out, *aimed, "--out", page).returncode == 0
    text = " ".join(page.read_text().split())
    assert "The results of runs.csv (width 1) were trained elsewhere, with SGD, Adam at 5" in text
    assert "they have loss 0.1 or less to reach" in text
    assert call("report", out, "--out", page).returncode == 0
    assert "final val acc" in page.read_text()
    facts = json.loads(call("status", out, "--json").stdout)
    assert (facts["imported"], facts["remaining"], facts["outcomes"]) == (
        True,
        0,
        {"capped": 8, "diverged": 2},
    )
    assert "imported: 10 trials" in call("status", out).stdout


@pytest.mark.parametrize(
    "command",
    ["verify", "verify --across", "predict", "hindsight", "confirm", "run quick --out"],
)
def test_nothing_of_it_is_trained(tmp_path: Path, command: str) -> None:
    """One sentence and exit code 2."""
    path, out = csv_of(rows(), tmp_path / "runs.csv"), tmp_path / "out"
    assert call("import", path, "--out", out, "--target", 0.9).returncode == 0
    before = (out / "runs.jsonl").read_bytes()
    answer = call(*command.split(), out)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert (out / "runs.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "90"), "target 90: val_acc is a share from 0 to 1 here, so give 0.9"),
        (("--percent",), "leave out --percent"),
        (("--columns", "rate=eta"), "has no column 'eta' (rate)"),
        (("--metric", "f1"), "no trial tells the metric f1: they tell loss, val_acc"),
        (("--goal", "high"), "unknown goal 'high'"),
        (("--names", "x.csv"), "names 'x.csv' has no place"),
        (("--target", "x"), "is not a number"),
    ],
)
def test_mistakes_of_an_import_are_told(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """And nothing is written."""
    path, out = csv_of(rows(), tmp_path / "runs.csv"), tmp_path / "out"
    answer = call("import", path, "--out", out, *options)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not out.exists()
