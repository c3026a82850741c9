"""What the seconds and steps of trials that are programs do not say."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from study.spec.program import is_program
from study.storage.records import Outcome
from study.words import counted


def of_programs(runs: pd.DataFrame) -> Iterator[str]:
    """Sentences on the clock of programs, and on those that ended by themselves.

    Args:
        runs: a study's runs.
    """
    if runs.empty or not is_program(runs["network"].iloc[0]):
        return
    beside = sorted(set(runs["jobs"].astype(int)))
    if len(beside) > 1:
        listed = " and ".join(map(str, beside))
        yield (
            f"programs ran {listed} at a time: their seconds are not of one kind, so compare steps"
        )
    elif beside[0] > 1:
        yield (
            f"{beside[0]} programs ran at a time: seconds were read beside "
            f"{counted(beside[0] - 1, 'other')}, and are longer than those of a program alone"
        )
    late = runs[pd.to_numeric(runs["first_step"]) > 0] if "first_step" in runs else runs[:0]
    if len(late):
        first = int(late["first_step"].median())
        yield (
            f"the first report of {counted(len(late), 'trial')} was at step {first:,}: the seconds "
            "of the steps before it are not counted; a report of step 0 starts the clock"
        )
    steps, cap = pd.to_numeric(runs["steps"]), pd.to_numeric(runs["cap_seconds"])
    over = (runs["seconds"] >= cap.fillna(float("inf"))) | (
        steps >= pd.to_numeric(runs["max_steps"]).fillna(float("inf"))
    )
    early = int(((runs["outcome"] == Outcome.CAPPED) & ~over).sum())
    if early:
        yield (
            f"{counted(early, 'program')} ended without the target before the budget was spent: "
            "let them train longer by themselves"
        )
