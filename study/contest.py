"""The contest: every way of choosing a rate, held against a stored grid, which knows what every rate is worth.

Each method picks a rate for each optimizer, with several seeds; then a network is trained at the pick under the grid's protocol. The regret
of a pick is its time to the target over the grid's best. All methods see rates between the grid's ends and nothing else of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study import finder, halving, population, staircase, tables, tuning
from study.calibration import Engine
from study.errors import StudyError
from study.record import Outcome
from study.spec import Trial
from study.store import Row, Store, read_rows

SWEEP_STEPS = 300
"""Steps of a sweep of the finder."""

BUDGET = 6000
"""Steps of a search that is given a budget: random search, successive halving, Optuna, a population."""

PATIENCE = 50
"""Steps that a staircase holds a rate for, and that halving looks at."""

UNITS = 5
"""Looks that a staircase takes at a rate's loss."""

DEFAULTS = {"sgd": 0.01, "momentum": 0.01, "adam": 0.001, "adagrad": 0.001, "adadelta": 0.001, "rmsprop": 0.001}
"""Keras 3's own rates: what is picked where nothing is searched."""

PICKS, TABLE = "picks.jsonl", "contest.csv"


@dataclass(frozen=True)
class Pick:
    """What a method picked for an optimizer with a seed, and the steps that it took: a rate, or none and why.

    `schedule` is what the rate is multiplied by over time, where a method finds more than one number.
    """

    optimizer: str
    method: str
    rule: str
    seed: int
    rate: float | None
    reason: str
    search_steps: int
    schedule: str = "constant"


@dataclass(frozen=True)
class Task:
    """What a method is given: an engine, a trial of each optimizer with the seed, and the bounds of the rates."""

    engine: Engine
    trials: Mapping[str, Trial]
    seed: int
    low: float
    high: float
    budget: int

    def make(self, optimizer: str) -> tuning.Make:
        """Makes learners of that optimizer."""
        return lambda rates: self.engine.learner([replace(self.trials[optimizer], learning_rate=rate) for rate in rates])

    def together(self) -> Any:
        """A learner with a lane for each optimizer, in order."""
        return self.engine.learner(list(self.trials.values()))

    def random(self, optimizer: str) -> np.random.Generator:
        """Draws that differ between optimizers and seeds."""
        return np.random.default_rng([self.seed, list(self.trials).index(optimizer)])

    def pick(self, optimizer: str, method: str, rule: str, rate: float | None, reason: str, steps: int, schedule: str = "constant") -> Pick:
        """A pick of this task."""
        rate = None if rate is None else float(f"{rate:.6g}")
        return Pick(optimizer, method, rule, self.seed, rate, reason, steps, schedule)


def _default(task: Task) -> Iterable[Pick]:
    for name in task.trials:
        yield task.pick(name, "default", "Keras", DEFAULTS[name], "Keras's own default", 0)


def _finder(task: Task) -> Iterable[Pick]:
    """One sweep an optimizer; every rule reads the same."""
    sweeps = finder.sweep(task.together(), task.low, task.high, SWEEP_STEPS)
    for name, swept in zip(task.trials, sweeps, strict=False):
        steps = len(swept.rates)
        for rule in ("tenth", "steepest", "valley", "slide"):
            yield task.pick(name, "finder", rule, swept.suggest(rule), swept.why(rule), steps)
        top = swept.suggest("fall")
        yield task.pick(name, "range test", "half of fall", None if top is None else top / 2, swept.why("fall"), steps)


def _staircase(task: Task) -> Iterable[Pick]:
    stages = _decades(task.low, task.high)
    for fresh, rule in ((False, "carried on"), (True, "fresh")):
        found = staircase.search(task.together(), stages, PATIENCE // UNITS, fresh=fresh)
        for name, climbed in zip(task.trials, found, strict=False):
            chosen = climbed.pick()
            yield task.pick(name, "staircase", rule, chosen.rate, chosen.reason, climbed.rows[-1].step if climbed.rows else 0)


def _decades(low: float, high: float) -> list[staircase.Stage]:
    """A stage a decade, of nine rates each, from the first power of ten from `low` up."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) - 1e-9) + 1)
    return [staircase.Stage(10.0**k, 10.0**k, UNITS, 9 * 10.0**k) for k in powers]


def _halving(task: Task) -> Iterable[Pick]:
    for name, found in zip(task.trials, halving.halve(task.together(), start=task.high, steps=PATIENCE), strict=False):
        reason = f"after {len(found.tries)} tries from {task.high:g}"
        yield task.pick(name, "halving", "no divergence", found.rate, reason, found.steps)


def _budgeted(method: str, search: Callable[[Task, str], tuning.Found]) -> Callable[[Task], Iterable[Pick]]:
    def picks(task: Task) -> Iterable[Pick]:
        for name in task.trials:
            found = search(task, name)
            reason = f"accuracy {found.score:.1%} of the best candidate" if found.rate is not None else "every candidate diverged"
            yield task.pick(name, method, "best accuracy", found.rate, reason, found.steps)

    return picks


def _halved(task: Task, name: str) -> tuning.Found:
    candidates = max(3, min(27, task.budget // (3 * tuning.LOOK)))
    return tuning.successive_halving(task.make(name), task.low, task.high, task.budget, task.random(name), candidates)


def _population(task: Task) -> Iterable[Pick]:
    """Ten members; the schedule of the best one's line, and the last rate of it alone."""
    members, ready = 10, 100
    settings = population.Settings(members, ready, max(1, task.budget // (members * ready)), task.low, task.high)
    for name in task.trials:
        done = population.train(task.make(name)([task.low] * members), settings, task.random(name))
        if not done.survived:
            yield task.pick(name, "population", "schedule", None, "every member diverged", done.steps)
            yield task.pick(name, "population", "last rate", None, "every member diverged", done.steps)
            continue
        rates = [(step, member.rate) for step, member in done.lineage()]
        reason = f"validation accuracy {done.rounds[-1].scores[done.best]:.1%} of the best of {members} members"
        yield task.pick(name, "population", "schedule", rates[0][1], reason, done.steps, done.schedule())
        yield task.pick(name, "population", "last rate", rates[-1][1], reason, done.steps)


METHODS: dict[str, Callable[[Task], Iterable[Pick]]] = {
    "default": _default,
    "finder": _finder,
    "staircase": _staircase,
    "halving": _halving,
    "random search": _budgeted(
        "random search", lambda task, name: tuning.random_search(task.make(name), task.low, task.high, task.budget, task.random(name))
    ),
    "successive halving": _budgeted(
        "successive halving",
        _halved,
    ),
    "optuna": _budgeted("optuna", lambda task, name: tuning.optuna_search(task.make(name), task.low, task.high, task.budget, task.seed)),
    "population": _population,
}
"""What searches, by name; a range test reads its bounds off the finder's sweep."""


def trial_of(pick: Pick, base: Trial) -> Trial | None:
    """The trial at a pick under the grid's protocol; None where nothing was picked."""
    if pick.rate is None:
        return None
    return replace(base, optimizer=pick.optimizer, learning_rate=pick.rate, seed=pick.seed, schedule=pick.schedule, prune="none")


def read_picks(folder: str | Path) -> list[Pick]:
    """The picks stored in a contest's folder.

    Raises:
        StudyError: a line does not hold picks; the sentence names it.
    """
    return [pick for picks in read_rows(Path(folder) / PICKS, _picks) for pick in picks]


def _picks(row: Row) -> list[Pick]:
    try:
        return [Pick(**pick) for pick in row["picks"]]
    except (KeyError, TypeError):
        raise StudyError("expected picks") from None


def table(grid: str | Path, folder: str | Path) -> pd.DataFrame:
    """One row a pick, beside what the grid knows.

    Columns: optimizer, method, rule, seed, rate, schedule, search_steps, search_seconds (steps x step time alone), outcome (`none` where
    nothing was picked), seconds_to_target (infinite where it did not arrive), regret (over the grid's best time for the seed, or the
    median over its seeds where it has not that seed), total_seconds (search and training, the whole budget where it did not arrive),
    grid_seconds (what the grid's trials of the optimizer took for a seed), reason.
    """
    base = Store(Path(grid)).spec().trials()[0]
    runs = tables.comparable(tables.load(grid), grid)
    stored = {run.id: run for run in Store(Path(folder)).runs()}
    reached = runs["outcome"] == Outcome.REACHED
    names = runs["optimizer"].astype(str)
    best = runs["seconds"].where(reached, math.inf).groupby([names, runs["seed"]]).min()
    typical, took = best.groupby(level=0).median(), runs.groupby([names, "seed"])["seconds"].sum().groupby(level=0).median()
    step, budget = runs.groupby(names)["step_seconds"].median(), tables.budget(runs).groupby(names).max()
    rows = []
    for pick in read_picks(folder):
        trial, name = trial_of(pick, base), pick.optimizer
        run = stored.get(trial.id) if trial else None
        if trial and run is None:
            continue  # picked, and still to be trained
        arrived = run is not None and run.outcome is Outcome.REACHED
        seconds = run.seconds if run and arrived else math.inf
        search = pick.search_steps * float(step[name])
        spent = run.seconds if run and arrived else float(budget[name])
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
    """One row a method and rule over optimizers and seeds: picks, of which none was found and of which arrived; medians of search_steps
    and search_seconds, of the regret (infinite where more than half failed) with its quartiles; and total over the grid's cost.
    """
    rows = []
    for (method, rule), mine in picks.groupby(["method", "rule"], sort=False):
        quartiles = np.quantile(mine["regret"], [0.25, 0.5, 0.75], method="inverted_cdf")
        rows.append(
            {
                "method": method,
                "rule": rule,
                "picks": len(mine),
                "none": int((mine["outcome"] == "none").sum()),
                "arrived": int((mine["outcome"] == Outcome.REACHED).sum()),
                "search_steps": float(mine["search_steps"].median()),
                "search_seconds": float(mine["search_seconds"].median()),
                "regret": float(quartiles[1]),
                "regret_q25": float(quartiles[0]),
                "regret_q75": float(quartiles[2]),
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
        raise StudyError(f"{folder} holds no contest (no {path.name} in it): run contest first") from None
