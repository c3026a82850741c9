"""The figure of a contest: what it says beside its points."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from study import figures
from study.tables import contests

WORTH = {"searches": (12, 12, 0), "shy": (12, 3, 9), "rash": (12, 3, 0), "both": (12, 1, 8)}
"""Picks of a method, those that arrive, and how often it gives none; `default` is like `shy`."""


def test_a_figure_tells_no_pick_from_one_that_never_arrives() -> None:
    """It counts both where there is no median, and says that a search costs nothing."""
    cases = {**WORTH, "default": WORTH["shy"]}
    ends = {
        name: [*["reached"] * arrived, *["none"] * none, *["stuck"] * (picks - arrived - none)]
        for name, (picks, arrived, none) in cases.items()
    }
    rows = [
        {"method": name, "rule": "r", "optimizer": "sgd", "seed": seed, "outcome": end}
        | {"regret": 2.0 if end == "reached" else math.inf, "rate": 0.1, "total_seconds": 1.0}
        | {"search_steps": 300 * (name != "default"), "grid_seconds": 1.0}
        for name, found in ends.items()
        for seed, end in enumerate(found)
    ]
    table = pd.DataFrame(rows).assign(search_seconds=lambda rows: rows["search_steps"] / 400)
    shares, regret, search = figures.costs(table, contests.summary(table)).axes
    names = [label.get_text().partition(":")[0] for label in shares.get_yticklabels()]

    def said(axes: Any) -> dict[str, str]:
        return {names[round(text.xy[1])]: text.get_text() for text in axes.texts}

    assert said(regret) == {
        "shy": "9 of 12: no pick",
        "rash": "9 of 12: never arrives",
        "both": "8 of 12: no pick, 3 of 12: never arrives",
        "default": "9 of 12: no pick",
    }
    assert said(search) == {**dict.fromkeys(WORTH, "0.75 s"), "default": "none: 0 s"}
    assert said(shares)["both"] == "1 of 12"
    free = table[table["method"] == "default"]
    assert figures.costs(free, contests.summary(free)).axes[2].get_xlim() == (0, 1)
