"""The contest in its folder: every method picks a rate, and a network is trained at each pick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from study import tables
from study.engines.choice import TENSORFLOW, site_of
from study.engines.command.choice import Programs
from study.engines.learner import Engine
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.executors.source import Source
from study.execution.own_model import trainer_of
from study.execution.request import Request
from study.experiments.methods import BUDGET, METHODS, Problem
from study.experiments.picked import train_picked
from study.experiments.programs import SEARCHES, ProgramSearch
from study.machine.facts import Site
from study.spec.program import is_program
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.stopping import stoppable
from study.storage.jsonl import append_line, cut_torn_line
from study.storage.links import refuse_links
from study.storage.records import Outcome
from study.storage.store import Store
from study.tables import contests
from study.training.stopwatch import Stopwatch

SEARCHED = "searches"
"""The folder of a contest in which the programs of searches have folders of their own."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The stored grid that a contest is held on.

    Args:
        folder: the folder of the study.
        spec: its protocol.
        low, high: the bounds of its rates.
        step_seconds: the median step time of each optimizer.
    """

    folder: Path
    spec: StudySpec
    low: float
    high: float
    step_seconds: dict[str, float]


def read_grid(folder: Path, site: Site) -> Grid:
    """Read the grid, and refuse one that no contest can be held on.

    Args:
        folder: of the grid.
        site: where the contest would train.

    Raises:
        StudyError: it is no study, has several widths, a schedule, or too few rates or successes,
            lacks step times, or was trained by another engine.
    """
    spec = Store(folder).spec()
    runs = tables.comparable(tables.load(folder), folder)
    if len(spec.widths) > 1:
        raise StudyError(f"{folder} has {len(spec.widths)} widths: a contest needs a grid of one")
    if is_program(spec.network):  # of one that reported once no step time is known
        known = runs.groupby(runs["optimizer"].astype(str))["step_seconds"].count()
        lacks = runs["steps"].isna().any() or (known == 0).any()
    else:
        lacks = runs["step_seconds"].isna().any() or runs["steps"].isna().any()
    if lacks:
        raise StudyError(
            f"{folder} does not tell steps and step times: a contest needs a grid that was "
            "trained by this program"
        )
    if spec.schedule != "constant":
        raise StudyError(
            f"{folder} trained under the schedule {spec.schedule}: a contest needs a grid at "
            "constant rates"
        )
    if runs["learning_rate"].nunique() < 3 or not (runs["outcome"] == Outcome.REACHED).any():
        raise StudyError(
            f"{folder} has too few rates or too few successes: a contest needs a grid of at least "
            "three rates, some of which reach the target"
        )
    there = runs["engine"].iloc[0], runs["precision"].iloc[0]
    if there != (site.engine, site.precision):
        raise StudyError(
            f"{folder} was trained by {' in '.join(there)}, and this would be {site.engine} in "
            f"{site.precision}: take the same"
        )
    rates = runs["learning_rate"]
    medians = runs.groupby(runs["optimizer"].astype(str))["step_seconds"].median()
    seconds = {str(name): float(value) for name, value in medians.items()}
    return Grid(folder, spec, float(rates.min()), float(rates.max()), seconds)


def methods_for(spec: StudySpec, methods: Sequence[str]) -> Sequence[str]:
    """The methods that can be held on a study; of programs those that never go back.

    Args:
        spec: of the grid.
        methods: those that are asked for; all of `METHODS` stands for all that can be.

    Raises:
        StudyError: one that takes no programs.
    """
    if not is_program(spec.network):
        return methods
    if tuple(methods) == tuple(METHODS):
        return SEARCHES
    for name in methods:
        if name not in SEARCHES:
            raise StudyError(
                f"the method {name} changes a rate or goes back while it trains, which no program "
                f"lets it: one of {', '.join(SEARCHES)}"
            )
    return methods


class _Searched:
    """The engine of the searches, made when it is first asked for."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.programs: ProgramSearch | None = None

    def __call__(self) -> Engine:
        engine = self.source.engine()
        if not isinstance(engine, Programs):
            return engine
        self.programs = self.programs or ProgramSearch(engine, self.folder)
        return self.programs

    def close(self) -> None:
        """End what still runs."""
        if self.programs:
            self.programs.close()
            with suppress(OSError):  # what holds something stays
                self.folder.rmdir()


@stoppable()
def run_contest(
    grid: Path,
    out: Path,
    seeds: int = 3,
    methods: Sequence[str] = tuple(METHODS),
    *,
    budget: int = BUDGET,
    workers: int | None = None,
    memory: float | None = None,
    silence: float | None = None,
    factory: EngineFactory = TENSORFLOW,
) -> pd.DataFrame:
    """Let every method pick, train at every pick, and write `contest.csv` with its summary.

    Picks (`picks.jsonl`) and runs (`runs.jsonl`) are stored as they come, so a contest that was
    stopped goes on where it was. The searches run in this process. The trials at the picks train as
    those of a study, with the step times of the grid.

    Args:
        grid: the folder of a grid study. It gives the protocol, the bounds of the rates, the step
            times and the truth.
        out: the folder of the contest.
        seeds: number of seeds N; they are 0 to N - 1.
        methods: names out of `METHODS`.
        budget: steps of a search that is given a budget.
        workers, memory, silence: as for `study.execution.driver.run`.
        factory: makes the engine.

    Returns:
        The table of `study.tables.contests.table`, a row a pick.

    Raises:
        StudyError: the grid does not fit, see `read_grid`; or another process is on `out`.
    """
    spec = Store(grid).spec()
    methods = methods_for(spec, methods)
    factory = trainer_of(spec, factory)
    request = Request(spec, workers=workers, memory=memory, silence=silence, factory=factory)
    site = site_of(request.engine)
    truth = read_grid(grid, site)
    refuse_links(grid)
    store, stopwatch = Store(out), Stopwatch()
    with store.writing():
        protocol = {**spec.to_json(), "seeds": 0}
        asked = {"grid": str(grid), "protocol": protocol, "budget": budget}
        before = Path(str((store.settings("contest.json") or {}).get("grid", grid)))
        if not before.exists() or before.samefile(grid):
            asked["grid"] = str(before)  # the same grid, by another path
        store.settle("contest.json", asked, "contest")
        source = Source(spec.dataset, request.engine, stopwatch)
        tasks = [(seed, name) for seed in range(seeds) for name in methods]
        with closing(_Searched(source, out / SEARCHED)) as engine:
            wanted = search(out, truth, tasks, budget, engine)
        seconds = {
            (trial.optimizer, trial.width): truth.step_seconds[trial.optimizer] for trial in wanted
        }
        reference = Store(grid).reference(Store(grid).runs())
        train_picked(store, wanted, seconds, grid, request, site, source, reference)
    table = contests.table(grid, out)
    tables.write_csv(out / "contest.csv", table)
    tables.write_csv(out / "contest-summary.csv", contests.summary(table))
    return table


def search(
    out: Path,
    grid: Grid,
    tasks: Sequence[tuple[int, str]],
    budget: int,
    engine: Callable[[], Engine],
) -> list[Trial]:
    """Let the methods pick where `out` has no pick yet, and store what they pick.

    Args:
        out: the folder of the contest.
        grid: gives the protocol and the bounds of the rates.
        tasks: pairs of a seed and the name of a method.
        budget: steps of a search that is given a budget.
        engine: gives the engine, made at the first call.

    Returns:
        The trials at all picks, sorted by rate, so that the trials of an array are neighbours.
    """
    paper = out / contests.PICKS
    cut_torn_line(paper)
    picks = contests.read_picks(out)
    have = {(pick.seed, pick.method) for pick in picks}
    todo = [task for task in tasks if task not in have]
    first = grid.spec.trials()[0]
    bases = {trial.optimizer: trial for trial in reversed(grid.spec.trials())}
    with tqdm(total=len(todo), desc="searches", disable=not todo) as bar:
        for seed, name in todo:
            bar.set_postfix_str(f"{name}, seed {seed}")
            trials = {
                name: replace(bases[name], seed=seed, prune="none", learning_rate=grid.low)
                for name in grid.spec.optimizers
            }
            found = list(
                METHODS[name](Problem(engine(), trials, seed, grid.low, grid.high, budget))
            )
            append_line(
                paper, {"seed": seed, "method": name, "picks": [asdict(pick) for pick in found]}
            )
            picks += found
            bar.update(1)
    own = grid.spec.own
    wanted = {trial.id: trial for pick in picks if (trial := contests.trial_of(pick, first, own))}
    return sorted(wanted.values(), key=lambda trial: trial.learning_rate)
