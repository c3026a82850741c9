"""What a study cost, and what it would cost otherwise: one by one, pruned, on another machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.spec.goals import high_share, label
from study.spec.pruning import hopeless
from study.storage.checks import Checks
from study.storage.records import Outcome, Spent
from study.tables.rows import budget


def costs(runs: pd.DataFrame, spent: Iterable[Spent]) -> dict[str, Any]:
    """What the runs cost, and what they would have cost one by one.

    Args:
        runs: a study's runs.
        spent: where the time of its processes went, as `Store.spent` gives it.

    Returns:
        - one_by_one_seconds: arrivals at their seconds, every other trial at its whole budget, as
            in the published procedure
        - one_by_one_stopping_seconds: the same, but diverged and stuck trials end when they are
            detected
        - spent_seconds: wall time of the processes that ran the study, all parts of it
        - cost_ratio: one_by_one_seconds / spent_seconds; None if nothing is known to be spent
    """
    taken, whole = runs["seconds"].astype(float), budget(runs)
    reached, broken = (
        runs["outcome"] == Outcome.REACHED,
        runs["outcome"].isin([Outcome.DIVERGED, Outcome.STUCK]),
    )
    one_by_one = float(taken.where(reached, whole).sum())
    seconds = sum(sum(row.seconds.values()) for row in spent)
    return {
        "one_by_one_seconds": one_by_one,
        "one_by_one_stopping_seconds": float(taken.where(reached | broken, whole).sum()),
        "spent_seconds": seconds,
        "cost_ratio": one_by_one / seconds if seconds else None,
    }


def hindsight(runs: pd.DataFrame, checks: Mapping[str, Checks]) -> pd.DataFrame:
    """What `prune="hopeless"` would have done to trials that were run without it.

    Args:
        runs: a study's runs. Those that reached the target or were capped count; the others cost
            next to nothing.
        checks: what `Store.checks` gives.

    Returns:
        One row an optimizer, with the columns

        - optimizer
        - trials, steps: how many there are
        - pruned: trials that would have been given up early
        - saved: steps that these would not have taken
        - lost: pruned trials that in fact reached the target

    Raises:
        StudyError: the metric is not an accuracy that is to be high.
    """
    if len(runs) and not high_share(runs["metric"].iloc[0], runs["goal"].iloc[0]):
        what = label(runs["metric"].iloc[0])
        raise StudyError(
            f"prune hopeless extrapolates an accuracy, and these trials train for {what}: there "
            "is no looking back on it"
        )
    if any(row.steps for row in checks.values()):
        raise StudyError(
            "prune hopeless looks at equal steps, and these trials reported when they liked: there "
            "is no looking back on them"
        )
    looked = runs[
        runs["outcome"].isin([Outcome.REACHED, Outcome.CAPPED]) & runs["id"].isin(list(checks))
    ]
    last = (budget(looked) / looked["step_seconds"] / looked["check_every"] + 1e-9).astype(int)
    rows = []
    for id_, optimizer, steps, outcome, target, every, end in zip(
        *(
            looked[name]
            for name in ("id", "optimizer", "steps", "outcome", "target", "check_every")
        ),
        last,
        strict=True,
    ):
        seen = np.array(checks[id_].accuracy)
        given_up = next((n for n in range(1, len(seen)) if hopeless(seen[:n], end, target)), None)
        saved = steps - given_up * every if given_up else 0
        rows.append(
            (
                optimizer,
                steps,
                given_up is not None,
                saved,
                given_up is not None and outcome == Outcome.REACHED,
            )
        )
    table = pd.DataFrame(rows, columns=["optimizer", "steps", "pruned", "saved", "lost"])
    table["optimizer"] = pd.Categorical(table["optimizer"], runs["optimizer"].cat.categories)
    grouped = table.assign(trials=1).groupby("optimizer", observed=True)[
        ["trials", "steps", "pruned", "saved", "lost"]
    ]
    return grouped.sum().astype(int).reset_index()


def predicted(runs: pd.DataFrame, step_seconds: Mapping[tuple[float, str], float]) -> pd.DataFrame:
    """The seconds of the same steps on another machine. Nothing is trained.

    Args:
        runs: a study's runs.
        step_seconds: step times on the other machine, by width and optimizer.

    Returns:
        One row a run, with the columns

        - id, optimizer, rate, width, seed: the trial
        - outcome, seconds, steps: as stored
        - seconds_here: steps x step time on the other machine

    Raises:
        StudyError: the runs do not tell their steps.
    """
    if runs["steps"].isna().any():
        raise StudyError(
            "the study does not tell the steps of its trials, so nothing can be predicted from it"
        )
    columns = ["id", "optimizer", "learning_rate", "width", "seed", "outcome", "seconds", "steps"]
    table = runs[columns].rename(columns={"learning_rate": "rate"})
    keys = zip(runs["width"], runs["optimizer"].astype(str), strict=True)
    table["seconds_here"] = table["steps"] * [step_seconds[key] for key in keys]
    return table.reset_index(drop=True)
