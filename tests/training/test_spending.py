"""The lines of where the time went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from study.storage.store import Store
from study.training.spending import SPENT_EVERY, Spending
from study.training.stopwatch import Stopwatch
from support.training.told import Hand


def lines(store: Store) -> list[dict[str, Any]]:
    """What is stored, without the moments."""
    rows = [json.loads(line) for line in store.spent_path.read_text().splitlines()]
    return [{name: row[name] for name in ("jobs", "seconds", "in_workers")} for row in rows]


def test_a_line_holds_what_was_spent_since_the_last(folder: Path) -> None:
    """If that is as much as asked for; the lines add up to the whole."""
    folder.mkdir()
    clock = Hand(5.0)
    spending = Spending(Store(folder), Stopwatch(clock), 2)
    spending.write()
    clock.now += 8.0
    with spending.stopwatch.part("train"):
        clock.now += 52.0
    for least in (60.5, 60.0, 1.0):
        spending.write(least)
    clock.now += 0.25
    spending.in_workers["train"] = 7.0
    spending.write(0.5)
    spending.write()
    assert lines(spending.store) == [
        {"jobs": 2, "seconds": {"other": 0.0}, "in_workers": {}},
        {"jobs": 2, "seconds": {"other": 8.0, "train": 52.0}, "in_workers": {}},
        {"jobs": 2, "seconds": {"other": 0.25, "train": 0.0}, "in_workers": {"train": 7.0}},
    ]


def test_a_killed_process_loses_a_minute_at_most() -> None:
    """So far apart are the lines of a run."""
    assert SPENT_EVERY == 60
