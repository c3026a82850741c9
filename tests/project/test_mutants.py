"""How many wrong changes the tests notice: what CONTRIBUTING tells, and the equivalent ones."""

from __future__ import annotations

import re
import tomllib

import pandas as pd
import pytest

from support.paths import ROOT

SCORES = ROOT / "tests" / "mutants" / "scores.csv"
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"
PARTS = (
    *("training", "spec/pruning", "execution/planning"),
    *("storage", "tables", "claims", "search"),
)
"""What the numbers rest on."""


def told() -> dict[str, list[str]]:
    """The rows of CONTRIBUTING's table, by part."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| part |")[2].partition("\n\n")[0]
    rows = [re.findall(r"[^|]+", line) for line in table.splitlines()[2:]]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_table_is_that_of_the_stored_scores() -> None:
    """The first run of each part, and its last at each seed."""
    scores = pd.read_csv(SCORES)
    found = {}
    for part, rows in scores.groupby("part", sort=False):
        first, second = (rows[rows["seed"] == seed] for seed in (0, 1))
        chosen = [first.iloc[0], first.iloc[-1], *([second.iloc[-1]] if len(second) else [])]
        cells = [f"{row['noticed']} of {row['tried']}" for row in chosen]
        found[part] = [*cells, *["not drawn"] * (3 - len(cells))]
    assert told() == found


@pytest.mark.parametrize("part", PARTS)
def test_most_changes_are_noticed(part: str) -> None:
    """At least 85 % of the last sample of each seed."""
    last = pd.read_csv(SCORES).groupby(["part", "seed"]).last()
    assert set(last.loc[part].index) == {0, 1}
    assert (last.loc[part]["noticed"] >= 0.85 * last.loc[part]["tried"]).all()


def test_an_equivalent_change_is_of_a_line_that_is_there() -> None:
    """And has its reason; a line that is gone takes its change with it."""
    for change in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["change"]:
        lines = [line.strip() for line in (ROOT / change["file"]).read_text().splitlines()]
        assert change["was"] in lines, change
        assert change["becomes"] != change["was"]
        assert change["why"].endswith(".")
