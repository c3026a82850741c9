"""The case study of cycles and the contest in their folders: what is missing is trained, and then
the tables are written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from study import tables
from study.engines.choice import TENSORFLOW, site_of
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.execution.plan import plan
from study.execution.progress import Bar
from study.execution.request import Request
from study.execution.study_folder import busy, calibration_of
from study.execution.train import train_pending
from study.experiments import contest, cycles
from study.storage.jsonl import append_line, read_rows, repair
from study.storage.records import Outcome
from study.storage.step_times import Calibration
from study.storage.store import Store, refuse_links
from study.tables import case_study, contests
from study.training import timing
from study.training.group import Context
from study.training.stopwatch import Stopwatch


def run_cycles(
    out: Path, seeds: int, dataset: str = "mnist", *, factory: EngineFactory = TENSORFLOW
) -> pd.DataFrame:
    """Train every arm with every seed that `out` lacks, measure the step times, and write
    `cycles.csv`, and its summary.

    A seed's rows are on the disk before the next seed begins; rerunning goes on where it was
    stopped.

    Args:
        out: the folder; `cycles.jsonl` in it is the source of truth.
        seeds: how many, 0 to N - 1.
        dataset: as in a study.
        factory: makes the engine.

    Raises:
        StudyError: bad input, another process on the same folder, or a folder of another data set.
    """
    store, site = Store(out), site_of(factory)
    with store.writing():
        asked: dict[str, Any] = {"dataset": dataset, "width": 1.0, "epochs": case_study.EPOCHS}
        if (site.engine, site.precision) != (
            "tensorflow",
            "float32",
        ):  # which older folders do not tell
            asked |= {"engine": site.engine, "precision": site.precision}
        store.settle("cycles.json", asked, "case study")
        repair(out / case_study.FILE)
        done = {row["seed"] for row in read_rows(out / case_study.FILE, case_study.seed_rows)}
        missing = [seed for seed in range(seeds) if seed not in done]
        source = Source(dataset, factory, Stopwatch())
        images = source.images()
        times = calibration_of(out, shared=False, site=site)
        kinds = times.missing([case_study.trial_of(arm, 0, dataset) for arm in case_study.ARMS])
        with tqdm(
            total=len(missing) * case_study.EPOCHS * 3, desc="cycles", disable=not missing
        ) as bar:

            def watch(arms: str, epoch: int) -> None:
                bar.set_postfix_str(f"{arms[:40]}, epoch {epoch}")
                bar.update(1)

            if kinds:
                bar.set_postfix_str("step times")
                said = timing.measure(times, kinds, source.engine())
                for sentence in (*said, *busy(times, kinds)):
                    bar.write(f"note: {sentence}", file=sys.stderr)
            for seed in missing:
                rows = cycles.train(seed, source.engine(), len(images.x_train), dataset, watch)
                append_line(out / case_study.FILE, {"seed": seed, "rows": rows})
    table = case_study.read(out)
    table.to_csv(out / "cycles.csv", index=False, float_format="%.6g")
    case_study.summary(table).to_csv(out / "cycles-summary.csv", index=False, float_format="%.6g")
    return table


def run_contest(
    grid: Path,
    out: Path,
    seeds: int = 3,
    methods: Sequence[str] = tuple(contest.METHODS),
    *,
    budget: int = contest.BUDGET,
    workers: int | None = None,
    memory: float | None = None,
    silence: float | None = None,
    factory: EngineFactory = TENSORFLOW,
) -> pd.DataFrame:
    """Let every method pick, train at every pick, and write `contest.csv`; return it.

    Picks (`picks.jsonl`) and runs (`runs.jsonl`) are on the disk as they come; rerunning goes on
    where it was stopped. The searches run in this process, the trials at the picks as a study's do;
    their step times are the grid's.

    Args:
        grid: the folder of a grid study: the protocol, the bounds of the rates, the step times, the
            truth.
        out: the contest's folder.
        seeds: how many, 0 to N - 1.
        methods: names out of `contest.METHODS`.
        budget: steps of a search that is given a budget.
        workers, memory, silence: as for `driver.run`.
        factory: makes the engine.

    Raises:
        StudyError: the grid is no study, or one of several widths or without step times; or another
            process is on `out`.
    """
    spec = Store(grid).spec()
    runs = tables.comparable(tables.load(grid), grid)
    if len(spec.widths) > 1:
        raise StudyError(f"{grid} has {len(spec.widths)} widths: a contest needs a grid of one")
    if runs["step_seconds"].isna().any() or runs["steps"].isna().any():
        raise StudyError(
            f"{grid} does not tell steps and step times: a contest needs a grid that was "
            "trained by this program"
        )
    if spec.schedule != "constant":
        raise StudyError(
            f"{grid} trained under the schedule {spec.schedule}: a contest needs a grid at "
            "constant rates"
        )
    if runs["learning_rate"].nunique() < 3 or not (runs["outcome"] == Outcome.REACHED).any():
        raise StudyError(
            f"{grid} holds too little truth: a contest needs a grid of several rates, some of "
            "which reach the target"
        )
    step_seconds = runs.groupby(runs["optimizer"].astype(str))["step_seconds"].median()
    request = Request(spec, workers=workers, memory=memory, silence=silence, factory=factory)
    refuse_links(grid)
    store, paper = Store(out), out / contests.PICKS
    site = site_of(request.engine)
    there = runs["engine"].iloc[0], runs["precision"].iloc[0]
    if there != (site.engine, site.precision):
        raise StudyError(
            f"{grid} was trained by {' in '.join(there)}, and this would be {site.engine} in "
            f"{site.precision}: take the same"
        )
    with store.writing():
        asked = {"grid": str(grid), "protocol": {**spec.to_json(), "seeds": 0}, "budget": budget}
        store.settle("contest.json", asked, "contest")
        repair(paper)
        stopwatch = Stopwatch()
        source = Source(spec.dataset, request.engine, stopwatch)
        picks = contests.read_picks(out)
        have = {(pick.seed, pick.method) for pick in picks}
        todo = [
            (seed, name) for seed in range(seeds) for name in methods if (seed, name) not in have
        ]
        low, high = float(runs["learning_rate"].min()), float(runs["learning_rate"].max())
        with tqdm(total=len(todo), desc="searches", disable=not todo) as bar:
            for seed, name in todo:
                bar.set_postfix_str(f"{name}, seed {seed}")
                base = replace(spec.trials()[0], seed=seed, prune="none")
                trials = {
                    optimizer: replace(base, optimizer=optimizer, learning_rate=low)
                    for optimizer in spec.optimizers
                }
                task = contest.Task(source.engine(), trials, seed, low, high, budget)
                found = list(contest.METHODS[name](task))
                append_line(
                    paper, {"seed": seed, "method": name, "picks": [asdict(pick) for pick in found]}
                )
                picks += found
                bar.update(1)
        picked = {
            trial.id: trial
            for pick in picks
            if (trial := contests.trial_of(pick, spec.trials()[0]))
        }
        wanted = sorted(
            picked.values(), key=lambda trial: trial.learning_rate
        )  # an array's trials are neighbours
        times = Calibration([grid / "calibration.json"], site.machine, site.software)
        times.pin((trial, float(step_seconds[trial.optimizer])) for trial in wanted)
        stored = [run for run in store.runs() if run.id in picked]
        with closing(Local(request, source, stopwatch)) as executor:
            use = executor.limits(spec, len(wanted) - len(stored))
            planned = plan(wanted, {run.id for run in stored}, times, use)
            context = Context(spec.name, site, use.jobs, silence=silence)
            enabled = bool(planned.pending)
            with closing(Bar(len(wanted), stored, planned, use, enabled=enabled)) as bar:
                train_pending(store, planned, times, executor, context, bar)
    table = contests.table(grid, out)
    table.to_csv(out / "contest.csv", index=False, float_format="%.6g")
    contests.summary(table).to_csv(out / "contest-summary.csv", index=False, float_format="%.6g")
    return table
