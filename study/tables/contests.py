"""What the picks of a contest are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.spec.own import Own
from study.spec.presets import spec_from
from study.spec.trial import Trial
from study.storage.jsonl import Count, Positive, Row, convert, read_rows
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables.rows import budget as budget_table
from study.tables.rows import comparable
from study.tables.stored import Source, stored

PICKS, TABLE = "picks.jsonl", "contest.csv"


@dataclass(frozen=True)
class Pick:
    """What a method picked for an optimizer with a seed.

    Args:
        optimizer: the optimizer.
        method: the method that searched.
        rule: how it reads the rate off what it saw.
        seed: the seed.
        rate: the rate; None if the method found none.
        reason: why there is no rate; else empty.
        search_steps: training steps that the search took.
        schedule: the factor on the rate over time, if the method finds more than one number.
    """

    optimizer: str
    method: str
    rule: str
    seed: Count
    rate: Positive | None
    reason: str
    search_steps: Count
    schedule: str = "constant"


def trial_of(pick: Pick, base: Trial, own: Own | None = None) -> Trial | None:
    """The trial at a pick; None if no rate was picked.

    Args:
        pick: the pick.
        base: a trial of the grid, for its protocol.
        own: of a model of the user's own, what the grid knows of it.

    Returns:
        The trial.
    """
    if pick.rate is None:
        return None
    return replace(
        base,
        optimizer=pick.optimizer,
        learning_rate=pick.rate,
        seed=pick.seed,
        schedule=pick.schedule,
        prune="none",
        config=base.config if own is None else own.configs[pick.optimizer],
    )


def read_picks(folder: str | Path) -> list[Pick]:
    """The picks stored in a contest's folder.

    Raises:
        StudyError: a line does not hold picks; the sentence names it.
    """
    return [pick for picks in read_rows(Path(folder) / PICKS, _picks) for pick in picks]


@dataclass(frozen=True)
class _Picks:
    """A row of `picks.jsonl`: what a method picked with a seed."""

    picks: tuple[Row, ...]


def _picks(row: Row) -> list[Pick]:
    return [convert(pick, Pick, closed=True) for pick in convert(row, _Picks).picks]


@dataclass(frozen=True)
class Standing:
    """How far a contest is.

    Args:
        picks: how many rates were picked, or could not be.
        wanted: how many trials they ask for.
        stored: how many of those are trained.
        strays: trials in the folder that no pick asks for, such as those of a rule that was changed
            since.
    """

    picks: int
    wanted: int
    stored: int
    strays: list[Run]


def standing(folder: str | Path) -> Standing:
    """How far the contest in a folder is; a folder without one raises `StudyError`."""
    store = Store(Path(folder))
    settings = store.settings("contest.json")
    if settings is None:
        raise StudyError(f"{folder} holds no contest (no contest.json in it): run contest first")
    spec = spec_from({**settings["protocol"], "seeds": 1})
    base, picks = replace(spec.trials()[0], prune="none"), read_picks(folder)
    wanted = {trial.id for pick in picks if (trial := trial_of(pick, base, spec.own))}
    runs = store.runs()
    strays = [run for run in runs if run.id not in wanted]
    return Standing(len(picks), len(wanted), len(runs) - len(strays), strays)


def table(grid: Source, folder: str | Path) -> pd.DataFrame:
    """What each pick is worth on the grid. Picks that are not trained yet are left out.

    Args:
        grid: the grid's folder, or a `StoredStudy`.
        folder: the contest's folder.

    Returns:
        One row a pick, with the columns

        - optimizer, method, rule, seed, rate, schedule, search_steps, reason: see `Pick`; rate is
            NaN if none was picked
        - search_seconds: search_steps x step time alone
        - outcome: of the trial at the pick; `none` if no rate was picked
        - seconds_to_target: of that trial; infinite if it did not arrive
        - regret: seconds_to_target over the grid's best time for the seed, or over the median of
            its seeds if it lacks that seed
        - total_seconds: search and training; the whole budget if it did not arrive
        - grid_seconds: what the grid's trials of the optimizer took for one seed

    Raises:
        StudyError: the grid is no study, or has no runs.
    """
    study = stored(grid)
    base, own = study.spec.trials()[0], study.spec.own
    runs = comparable(study.runs, study.folder)
    trained = {run.id: run for run in Store(Path(folder)).runs()}
    reached = runs["outcome"] == Outcome.REACHED
    names = runs["optimizer"].astype(str)
    best = runs["seconds"].where(reached, math.inf).groupby([names, runs["seed"]]).min()
    typical, took = (
        best.groupby(level=0).median(),
        runs.groupby([names, "seed"])["seconds"].sum().groupby(level=0).median(),
    )
    step, budget = (
        runs.groupby(names)["step_seconds"].median(),
        budget_table(runs).groupby(names).max(),
    )
    rows = []
    for pick in read_picks(folder):
        trial, name = trial_of(pick, base, own), pick.optimizer
        run = trained.get(trial.id) if trial else None
        if trial and run is None:
            continue  # picked, and still to be trained
        arrived = run is not None and run.outcome is Outcome.REACHED
        seconds = (run.seconds or 0.0) if run and arrived else math.inf
        search = pick.search_steps * float(step[name])
        spent = seconds if arrived else float(budget[name])
        least = float(best.get((name, pick.seed), typical[name]))
        rows.append(
            {
                "optimizer": name,
                "method": pick.method,
                "rule": pick.rule,
                "seed": pick.seed,
                "rate": math.nan if pick.rate is None else pick.rate,
                "schedule": pick.schedule,
                "search_steps": pick.search_steps,
                "search_seconds": search,
                "outcome": str(run.outcome) if run else "none",
                "seconds_to_target": seconds,
                "regret": seconds / least,
                "total_seconds": search + spent,
                "grid_seconds": float(took[name]),
                "reason": pick.reason,
            }
        )
    return pd.DataFrame(rows)


def summary(picks: pd.DataFrame) -> pd.DataFrame:
    """What a method and rule is worth, over optimizers and seeds.

    Args:
        picks: the table of a contest, as `table` gives it.

    Returns:
        One row a method and rule, with the columns

        - method, rule
        - picks: how many; none: no rate was found; arrived: trained to the target
        - search_steps, search_seconds: medians
        - regret, regret_q25, regret_q75: median and quartiles (each one of the values); infinite if
            too many failed
        - share_of_grid: total seconds over those of the grid
    """
    rows = []
    for (method, rule), mine in picks.groupby(["method", "rule"], sort=False):
        # A quartile is one of the values: between a number and infinity there is nothing to draw.
        low, high = np.quantile(mine["regret"], [0.25, 0.75], method="inverted_cdf")
        rows.append(
            {
                "method": method,
                "rule": rule,
                "picks": len(mine),
                "none": int((mine["outcome"] == "none").sum()),
                "arrived": int((mine["outcome"] == Outcome.REACHED).sum()),
                "search_steps": float(mine["search_steps"].median()),
                "search_seconds": float(mine["search_seconds"].median()),
                "regret": float(mine["regret"].median()),
                "regret_q25": float(low),
                "regret_q75": float(high),
                "share_of_grid": float(mine["total_seconds"].sum() / mine["grid_seconds"].sum()),
            }
        )
    return pd.DataFrame(rows)


def read(folder: str | Path) -> pd.DataFrame:
    """The table of a contest that is stored in a folder.

    Raises:
        StudyError: the folder holds none.
    """
    path = Path(folder) / TABLE
    try:
        return pd.read_csv(path, keep_default_na=True)
    except FileNotFoundError:
        raise StudyError(
            f"{folder} holds no contest (no {path.name} in it): run contest first"
        ) from None
