"""Tables of a study by another metric and target, and steps as the target rises."""

from __future__ import annotations

import json
import math
import shutil
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import study
from study import figures, tables
from study.errors import StudyError
from study.storage.readings.aim import Aim
from study.storage.store import Store
from support.command import call
from support.paths import ROOT

FOLDER = ROOT / "results" / "amd-epyc-2-cores" / "quick-reference"


@pytest.fixture(scope="module")
def rows() -> list[tuple[dict[str, Any], list[float]]]:
    """The rows of the stored study, each with its window accuracies."""
    lines = (FOLDER / "checks.jsonl").read_text().splitlines()
    checks = {row["id"]: row["accuracy"] for row in map(json.loads, lines)}
    runs = map(json.loads, (FOLDER / "runs.jsonl").read_text().splitlines())
    return [(run, checks[run["id"]]) for run in runs]


def arrival(values: list[float], target: float) -> float:
    """The steps at which a value first meets the target."""
    met = (50.0 * check for check, value in enumerate(values, start=1) if value >= target)
    return next(met, math.inf)


@pytest.mark.parametrize(
    ("aim", "target", "cumulative"),
    [
        (Aim(target=0.95), 0.95, False),
        (Aim("cumulative"), 0.97, True),
        (Aim("cumulative", 0.9), 0.9, True),
        (Aim(target=0.99), 0.99, False),
    ],
)
def test_every_trial_ends_as_its_checks_say(
    rows: list[tuple[dict[str, Any], list[float]]], aim: Aim, target: float, cumulative: bool
) -> None:
    """At its first check at the target; else as it ended, an arrival at its own target censored."""
    wanted, cut = {}, 0
    for run, windows in rows:
        means = [total / check for check, total in enumerate(accumulate(windows), start=1)]
        steps = arrival([round(value, 6) for value in means] if cumulative else windows, target)
        key = (run["optimizer"], run["learning_rate"], run["seed"])
        lost = run["outcome"] == "reached" and steps == math.inf
        cut += lost
        ended = "capped" if lost else run["outcome"]
        wanted[key] = ("reached", steps) if steps < math.inf else (ended, run["steps"])
    found = tables.stored(FOLDER, aim=aim)
    keys = ["optimizer", "learning_rate", "seed"]
    table = found.runs.astype({"optimizer": str}).set_index(keys)
    assert {key: (row.outcome, row.steps) for key, row in table.iterrows()} == wanted
    assert (table["steps"] * table["step_seconds"]).tolist() == pytest.approx(
        table["seconds"].tolist()
    )
    assert (len(found.cut), set(table["target"])) == (cut, {target})
    ids = {trial.id for trial in found.spec.trials()}
    assert set(table["id"]) <= ids
    if cut:
        assert table["cut"].sum() == cut
        mine = table[table["cut"]]
        assert tables.budget(table)[table["cut"]].tolist() == mine["seconds"].tolist()
    said = [one for one in tables.warnings(found) if "trained to 97 %" in one]
    assert len(said) == 1
    assert (f"{cut} of {len(rows)} ended at their own target" in said[0]) == bool(cut)
    assert len(tables.best(found.runs)) == table.index.get_level_values(0).nunique()


def test_the_same_aim_is_no_other(rows: list[tuple[dict[str, Any], list[float]]]) -> None:
    """Its rows are those of the folder."""
    plain, asked = tables.load(FOLDER), study.load(FOLDER, metric="window", target=0.97)
    assert asked.equals(plain)
    assert list(tables.of_the_aim(tables.stored(FOLDER))) == []


def test_steps_as_the_target_rises_are_those_of_the_checks(
    rows: list[tuple[dict[str, Any], list[float]]],
) -> None:
    """Over the rates at which the study's own target is reached; at the best of them."""
    table, best = tables.targets(FOLDER), tables.best(tables.load(FOLDER))
    assert len(table) == 8 * len(best)
    row: Any
    for row in table.itertuples():
        mine = [(run, values) for run, values in rows if run["optimizer"] == row.optimizer]
        there = [
            (run["learning_rate"], arrival(values, row.target))
            for run, values in mine
            if arrival(values, 0.97) < math.inf
        ]
        rate = float(best.loc[best["optimizer"] == row.optimizer, "best_rate"].iloc[0])
        assert row.rates == len(there)
        if not there:
            assert math.isnan(row.rate)
            assert math.isnan(row.median_steps)
            continue
        assert (row.rate, row.steps) == (rate, dict(there)[rate])
        assert row.median_steps == median(steps for _, steps in there)


def test_without_checks_there_are_no_steps_to_lower_targets(tmp_path: Path) -> None:
    """Neither of a study that only began."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "study"))
    (folder / "checks.jsonl").unlink()
    assert tables.targets(folder).empty
    assert "targets" not in figures.draw(tables.load(folder), tables.curves(folder), None)
    with pytest.raises(StudyError, match="no trial reached the target, so that no steps"):
        figures.targets(tables.targets(folder), tables.load(folder))
    spec = Store(folder).spec()
    assert tables.best_rates.targets.levels(spec.with_(target=0.07)) == ()
    Store(folder).runs_path.write_text("")
    with pytest.raises(StudyError, match="no trial has ended yet"):
        tables.targets(folder)


def test_another_target_has_folders_of_its_own(tmp_path: Path) -> None:
    """The tables, figures and claims of the study's own target stay; the report says both."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "study"))
    before = (folder / "tables" / "best.csv").read_bytes()
    answer = call("tables", folder, "--target", "0.9", "--metric", "cumulative")
    assert answer.returncode == 0, answer.stderr
    assert "are read by 90 % cumulative training accuracy" in answer.stdout + answer.stderr
    assert (folder / "tables" / "cumulative-0.9" / "best.csv").exists()
    assert (folder / "tables" / "best.csv").read_bytes() == before
    answer = call("figures", folder, "--target", "0.9")
    assert (folder / "figures" / "window-0.9" / "valley.png").exists(), answer.stderr
    answer = call("claims", folder, "--target", "0.9")
    assert "are read by 90 % training accuracy" in answer.stdout + answer.stderr
    page = tmp_path / "report.html"
    answer = call("report", folder, "--target", "0.9", "--out", page)
    assert answer.returncode == 0, answer.stderr
    assert "are read by 90 % training accuracy" in page.read_text()
    assert "--target 0.9" in page.read_text()


def test_fresh_seeds_are_read_by_the_aim(tmp_path: Path) -> None:
    """As the trials that selected the rates."""
    article = ROOT / "results" / "amd-epyc-2-cores" / "article"
    own, lower = tables.stored(article), tables.stored(article, aim=Aim(target=0.9))
    assert set(lower.confirmed["target"]) == {0.9}
    assert len(lower.confirmed) == len(own.confirmed) > 0
    assert lower.confirmed["steps"].sum() < own.confirmed["steps"].sum()
