"""Commands on stored studies of the user's own model, as a person types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from study.cli.formatting import described
from study.spec.study import StudySpec
from support.command import call
from support.own.studies import ACCURACY, LION, LOSS, NESTEROV, SIZES, stored

pytestmark = pytest.mark.slow

EACH = pytest.mark.parametrize("spec", [LOSS, ACCURACY, SIZES], ids=lambda spec: spec.name)
SHARES = pytest.mark.parametrize("share", [1.0, 0.4], ids=["finished", "half-finished"])


@EACH
@SHARES
def test_what_reads_results_reads_these(spec: StudySpec, share: float, tmp_path: Path) -> None:
    """Status, tables, figures, claims and the report, for people and for programs."""
    folder = stored(tmp_path / "own", spec, share)
    for command in (("status",), ("status", "--json"), ("tables",), ("figures",), ("claims",),
                    ("claims", "--json"), ("report", "--out", tmp_path / "page.html")):  # fmt: skip
        answer = call(command[0], folder, *command[1:])
        assert answer.returncode == 0, answer.stderr
        assert "own:" not in answer.stdout.replace(str(folder), "")
        if "--json" in command:
            assert json.loads(answer.stdout)


def test_status_and_tables_have_a_row_a_label(tmp_path: Path) -> None:
    """In the order of every table."""
    folder = stored(tmp_path / "own", LOSS)
    for command in ("status", "tables"):
        lines = call(command, folder).stdout.splitlines()
        labels = [line.split()[0] for line in lines if line.startswith(("sgd", "adamw", "lion"))]
        assert labels == ["sgd", "adamw", LION, NESTEROV]
    found = json.loads(call("status", folder, "--json").stdout)
    assert list(found["by_optimizer"]) == ["sgd", "adamw", LION, NESTEROV]


def test_claims_say_what_they_are_judged_on(tmp_path: Path) -> None:
    """Beside the answer where programs read it."""
    folder = stored(tmp_path / "own", LOSS)
    answer = call("claims", folder)
    assert "note: the claims are about the article's network" in answer.stdout
    assert re.search(r"^no-universal-rate .* 3\.5 ", answer.stdout, re.MULTILINE)
    answer = call("claims", folder, "--json")
    assert "note: the claims are about the article's network" in answer.stderr
    assert len(json.loads(answer.stdout)) == 16


def test_hindsight_and_unknown_sizes_end_in_a_sentence(tmp_path: Path) -> None:
    """What they need is named."""
    answer = call("hindsight", stored(tmp_path / "loss", LOSS))
    assert answer.returncode == 2
    assert "these trials train for validation loss" in answer.stderr
    assert call("hindsight", stored(tmp_path / "accuracy", ACCURACY)).returncode == 0
    sizes = stored(tmp_path / "sizes", SIZES)
    answer = call("tables", sizes, "--by", "multiply_adds")
    assert answer.returncode == 2
    assert "take its size by weights or width" in answer.stderr
    assert f"{LION} at 0.0001: a line is enough" in call("tables", sizes).stdout


def test_two_are_compared(tmp_path: Path) -> None:
    """A panel a label; a study of another model needs to be asked for."""
    first, second = stored(tmp_path / "a", LOSS), stored(tmp_path / "b", ACCURACY)
    answer = call("compare", first, second)
    assert answer.returncode == 2
    assert "differ in" in answer.stderr
    answer = call("compare", first, second, "--anyway", "--out", tmp_path / "both")
    assert answer.returncode == 0, answer.stderr
    assert "they differ in metric: val_loss, accuracy" in answer.stdout
    assert (tmp_path / "both" / "valleys-seconds.png").exists()


def test_a_plan_tells_the_model_and_its_aim() -> None:
    """And the built-in networks' in the same words as figures do."""
    told = "\n".join(described(LOSS))
    assert "  model my_model.py:build, width 1, my_model.py:data, batch 32\n" in told
    assert "  each to validation loss 0.3 or less, given up after 60 s, mode array" in told
    assert "hyper-parameters" not in told
    told = "\n".join(described(StudySpec(optimizers=("sgd",), rates=(0.1,))))
    assert "  compact network, width 1, mnist, batch 100\n" in told
    assert "  each to 97 % training accuracy, given up after 120 s, mode array" in told
