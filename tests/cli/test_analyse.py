"""Commands that read studies, as a person types them."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from study.claims.verdict import CLAIMS
from study.cli.formatting import of_drift
from study.cli.main import _unwritten
from support.command import call
from support.known import SPEC, stored
from support.paths import ROOT

pytestmark = pytest.mark.slow


def test_status_counts_outcomes(folder: Path) -> None:
    """For people and for programs."""
    stored(folder)
    status = json.loads(call("status", folder, "--json").stdout)
    assert status["trials"] == status["stored"] == len(SPEC)
    assert status["remaining"] == 0
    assert sum(status["outcomes"].values()) == len(SPEC)
    assert {
        "one_by_one_seconds",
        "one_by_one_stopping_seconds",
        "spent_seconds",
        "cost_ratio",
    } <= set(status)
    assert status["by_optimizer"]["sgd"] == {"capped": 3, "reached": 6, "stuck": 1, "diverged": 2}
    text = call("status", folder).stdout
    assert f"{len(SPEC)} of {len(SPEC)} trials stored" in text
    assert re.search(r"^sgd\s+3\s+2\s+0\s+6\s+1\s+0$", text, re.MULTILINE)


def test_hindsight_is_told_for_people_and_for_programs(folder: Path) -> None:
    """On made-up curves that all rise at once nothing would be given up."""
    stored(folder)
    assert (
        "0 of 19 trials given up early, 0% of the steps saved, 0 arrivals lost"
        in call("hindsight", folder).stdout
    )
    assert json.loads(call("hindsight", folder, "--json").stdout)["lost"] == 0


def test_tables_and_figures_are_rebuilt_from_the_stored_runs(folder: Path, tmp_path: Path) -> None:
    """One command each; also to another place."""
    stored(folder)
    answer = call("tables", folder)
    assert answer.returncode == 0, answer.stderr
    assert re.search(
        r"^sgd\s+2 of 4\s+0\.01\s+0\.1\s+0\.1\s+4\.00\s+400$", answer.stdout, re.MULTILINE
    )
    assert "at the grid's edge" in answer.stdout
    answer = call("figures", folder, "--out", tmp_path / "drawn")
    assert answer.returncode == 0, answer.stderr
    assert len(list((tmp_path / "drawn").iterdir())) == 10


@pytest.mark.parametrize("command", ["tables", "figures", "report"])
def test_a_place_that_cannot_be_written_is_one_sentence(
    folder: Path, tmp_path: Path, command: str
) -> None:
    """Below a file, and where the system lets nobody write; the same exit code for all."""
    stored(folder)
    file = tmp_path / "file"
    file.write_text("")
    for out, why in (
        (file / "x.html", f"{file} is a file, where a folder is needed: give --out another place"),
        ("/proc/x/y.html", "cannot write to /proc/x: "),
    ):
        answer = call(command, folder, "--out", out)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr.startswith(f"study: {why}")
        assert answer.stderr.count("\n") == 1


def test_what_may_not_be_read_or_written_is_told_apart() -> None:
    """A file that is there is no folder that is lacking; and one whose folder may not be entered
    was not written.
    """
    here = Path(__file__)
    denied = PermissionError(errno.EACCES, "Permission denied", str(here))
    assert _unwritten(denied) == (
        f"cannot write to {here}: Permission denied; give --out a place that can be written", 2
    )  # fmt: skip
    there = FileExistsError(errno.EEXIST, "File exists", str(here))
    assert _unwritten(there)[0].startswith(f"{here} is a file, where a folder is needed")
    hidden = PermissionError(errno.EACCES, "Permission denied", "/nowhere/spec.json")
    assert _unwritten(hidden) == ("/nowhere/spec.json cannot be read: Permission denied", 2)
    assert _unwritten(PermissionError(errno.EACCES, "Permission denied"))[1] == 1


def test_an_unknown_measure_of_size_is_refused_of_one_size_too(folder: Path) -> None:
    """As it is where there is a line to draw."""
    answer = call("tables", stored(folder), "--by", "foo")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "study: unknown size 'foo': one of weights, multiply_adds, width\n"


def test_claims_are_told_for_people_and_for_programs(folder: Path) -> None:
    """A verdict a claim; as JSON the fields that were promised."""
    stored(folder)
    text = call("claims", folder).stdout
    assert len(re.findall(r"^\S+ +(?:holds|fails|undecided) .*  \S", text, re.MULTILINE)) == len(
        CLAIMS
    )
    assert "most learning rates fail to train the model?" in text
    assert "33 to 44 of 48 rates fail" in text
    rows = json.loads(call("claims", folder, "--json").stdout)
    assert [row["id"] for row in rows] == list(CLAIMS)
    assert {tuple(row) for row in rows} == {
        ("id", "verdict", "statistic", "low", "high", "threshold", "reason")
    }


def test_studies_are_compared_and_published_files_imported(folder: Path, tmp_path: Path) -> None:
    """From the command line, with what was written named at the end."""
    stored(folder)
    published = tmp_path / "grid.csv"
    rows = [
        ("x", 1.0, "l", 0.97, 0.001, "Adam", 1.0, 8.3),
        ("x", 1.0, "l", 0.97, 0.1, "GD", 1.0, 7.0),
    ]
    pd.DataFrame(rows, columns=["x", "y", "label", "acc", "lr", "opt", "scale", "time"]).to_csv(
        published, index=False
    )
    answer = call("import-published", published, "--out", tmp_path / "published")
    assert answer.returncode == 0, answer.stderr
    assert "2 trials (2 optimizers, 2 rates, 1 width; target 97 %)" in answer.stdout
    answer = call("compare", folder, tmp_path / "published")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "--anyway" in answer.stderr
    answer = call(
        "compare", folder, tmp_path / "published", "--anyway", "--out", tmp_path / "side-by-side"
    )
    assert answer.returncode == 0, answer.stderr
    assert "they differ in machine: test-machine, published K80" in answer.stdout
    assert {path.name for path in (tmp_path / "side-by-side").iterdir()} == {
        "cells.csv", "summary.csv", "pairs.html", "valleys-seconds.png", "valleys-seconds.svg",
        "valleys-relative.png", "valleys-relative.svg",
    }  # fmt: skip
    facts = json.loads(call("compare", folder, tmp_path / "published", "--anyway", "--json").stdout)
    assert facts["ratios"][0]["both"] == 2
    answer = call("predict", tmp_path / "published")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "does not tell the steps" in answer.stderr


def test_a_folder_of_the_old_sizes_goes_on_by_its_own_look() -> None:
    """Without it the difference is named; with it the new rate alone is left to train."""
    old = ROOT / "results" / "amd-epyc-2-cores" / "sizes"
    refused = call("plan", "sizes", "--out", old).stderr
    assert "(check_every is 50 there, 25 here): give another --out" in refused
    planned = call("plan", "sizes", "--check-every", "50", "--out", old).stdout
    assert "Stored: 216, to run: 36" in planned


@pytest.mark.parametrize(
    ("study", "engine"),
    [
        ("amd-epyc-25-17-avx512-2-cores/article-one-seed", "native"),
        ("amd-epyc-2-cores/article", "tensorflow"),
    ],
)
def test_status_names_the_engine_of_the_arrays(study: str, engine: str) -> None:
    """Which a person cannot see in the seconds: they are those of the framework."""
    told = call("status", ROOT / "results" / study)
    assert f"Arrays were trained by {engine} (288 trials)." in told.stdout


@pytest.mark.parametrize(
    ("beside", "words"), [(0.04, "what is more has changed since"), (0.16, "the median: no less")]
)
def test_verify_tells_a_change_only_where_there_is_one(beside: float, words: str) -> None:
    """By the step times that were read beside the trials."""
    facts = {"median_step_time_error": 0.15, "median_error_beside": beside}
    assert words in of_drift(facts)
