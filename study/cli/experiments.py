"""Commands that search a schedule, or hold the ways of choosing a rate against each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from study.cli.formatting import as_json, frame, table, written
from study.cli.option_sets import SearchOptions, TrainerOptions, WorkerOptions
from study.cli.options import AsJson, Count, Files, Folder, MakeIn, ModelOptions, Optimizer
from study.cli.parameters import Family, among, real, whole
from study.errors import StudyError
from study.search import population
from study.spec.goals import held_out_metric, is_share, label, sign, value_of
from study.spec.study import StudySpec
from study.spec.trial import DATASETS, Trial
from study.validation import choice

commands = Family("Choose a rate")


class Bounds(NamedTuple):
    """A range of numbers."""

    low: float
    high: float


def _bounds(text: str) -> Bounds:
    """LOW:HIGH as two numbers."""
    low, _, high = text.partition(":")
    try:
        return Bounds(float(low), float(high))
    except ValueError:
        raise typer.BadParameter(f"{text!r} must read LOW:HIGH, such as 0:0.99") from None


@commands.command(
    "study evolve --members 20 --out evolved",
    "study evolve --optimizer momentum --momenta 0:0.99 --rounds 20",
)
def evolve(
    asked: SearchOptions,
    own: ModelOptions,
    trainer: TrainerOptions,
    optimizer: Optimizer = "adam",
    members: Annotated[int, whole(2, 96, metavar="K", help="The size of the population.")] = 20,
    ready: Annotated[int, whole(help="Steps of each round.")] = 200,
    rounds: Annotated[int, whole(help="The number of rounds; an evolution follows each.")] = 10,
    low: Annotated[float, real(metavar="RATE", help="The lowest rate at the start.")] = 1e-5,
    high: Annotated[float, real(metavar="RATE", help="The highest rate at the start.")] = 10.0,
    share: Annotated[
        float, real(metavar="P", help="The share of members that copy, and that are copied.")
    ] = 0.2,
    resample: Annotated[
        float, real(metavar="P", help="The probability that the rate of a copy is drawn anew.")
    ] = 0.0,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="Keep changed rates between --low and --high.")
    ] = False,
    momenta: Annotated[
        Bounds | None,
        typer.Option(
            metavar="LOW:HIGH",
            parser=_bounds,
            help="Search the coefficient of momentum between these, too.",
        ),
    ] = None,
    out: Files = None,
    in_json: AsJson = False,
) -> None:
    """Train a population whose worst members copy the best ones; print the best one's schedule."""
    spec = asked.spec(optimizer, own.given())
    if momenta is not None and optimizer != "momentum":
        raise StudyError(
            f"momenta {momenta.low:g}:{momenta.high:g} are of the optimizer momentum; {optimizer} "
            "has no such coefficient"
        )
    from study.engines.rules import coefficient, rule_of

    usual = 0.0 if own.model else coefficient(rule_of(spec.hyper, optimizer))
    settings = population.Settings(
        members=members,
        ready=ready,
        rounds=rounds,
        low=low,
        high=high,
        share=share,
        resample=resample,
        bounded=bounded,
        momenta=momenta,
        momentum=usual,
    )
    trial, done = _evolved(spec, asked.seed, settings, trainer)
    if out is not None:
        _write_population(out, done, trial, settings)
    if in_json:
        as_json(done.to_json())
    elif not done.survived:
        typer.echo(
            "Every member diverged, so there is no schedule: lower --high, which is "
            f"{settings.high:g}."
        )
    else:
        _tell_population(done, settings, trial)
        if out is not None:
            typer.echo(f"Written to {out}")


def _evolved(
    spec: StudySpec, seed: int, settings: population.Settings, trainer: TrainerOptions
) -> tuple[Trial, population.Population]:
    """The trial, and the finished population, with a progress bar meanwhile."""
    import numpy as np
    from tqdm import tqdm

    from study.execution.own_model import searched

    trial, source = searched(spec, seed, trainer.setup())
    learner = source.engine().learner([trial] * settings.members)
    with tqdm(total=settings.rounds, desc=f"{settings.members} members", leave=False) as bar:

        def watch(round_: population.Round) -> None:
            if not np.isnan(round_.scores).all():
                at = int(np.nanargmax(round_.scores))
                score = value_of(trial.metric, sign(trial.goal) * round_.scores[at])
                bar.set_postfix_str(f"best {score} at rate {round_.members[at].rate:.3g}")
            bar.update(1)

        draw = np.random.default_rng(trial.seed)
        return trial, population.train(learner, settings, draw, watch=watch)


def _tell_population(
    done: population.Population, settings: population.Settings, trial: Trial
) -> None:
    """Print the line of the best member, its cost and its schedule."""

    def told(value: float) -> str:
        return f"{value:.2%}" if is_share(trial.metric) else f"{value:.4g}"

    side, name = sign(trial.goal), label(held_out_metric(trial.metric))
    rows = []
    for round_, place in zip(done.rounds, done.places(), strict=True):
        member = round_.members[place]
        second = [f"{member.momentum:.3g}"] if settings.momenta else []
        step, score = f"{round_.step - done.ready:,}", told(side * round_.scores[place])
        rows.append([step, f"{member.rate:.4g}", *second, score])
    table(
        ["from step", "rate", *(["momentum"] if settings.momenta else []), name.split()[-1]], rows
    )
    test = "" if trial.start else f", test {done.test_accuracy:.2%}"
    best = told(side * done.rounds[-1].scores[done.best])
    typer.echo(f"\nBest of {settings.members}: {name} {best}{test}.")
    typer.echo(
        f"Cost: {done.steps:,} steps of all members together, {done.seconds:.1f} s of training."
    )
    typer.echo(f"Its schedule: --rates {done.base:.6g} --schedule {done.schedule()}")
    if settings.momenta:
        typer.echo(
            "A schedule is of the rate alone: a study trains momentum at "
            f"{settings.momentum:g}, and not at the coefficients above."
        )


def _write_population(
    out: Path, done: population.Population, trial: Trial, settings: population.Settings
) -> None:
    """Write all members of all rounds, what came of them, and the figure of the best one's line."""
    import pandas as pd

    from study import figures, tables
    from study.storage.jsonl import replace

    out.mkdir(parents=True, exist_ok=True)
    rows = [
        {"step": round_.step, "member": i, **asdict(member), "validation_accuracy": score}
        for round_ in done.rounds
        for i, (member, score) in enumerate(zip(round_.members, round_.scores, strict=True))
    ]
    tables.write_csv(out / "population.csv", pd.DataFrame(rows))
    told = {key: value for key, value in done.to_json().items() if key != "rounds"}
    text = json.dumps({"trial": asdict(trial), "settings": asdict(settings), **told}, indent=1)
    replace(out / "population.json", f"{text}\n".encode())
    title = (
        f"{trial.optimizer} on the {trial.network} network, {Path(trial.dataset).name}, "
        f"batch {trial.batch}, seed {trial.seed}"
    )
    figures.save({"lineage": figures.lineage(done, title)}, out)


def _methods(text: str) -> tuple[str, ...]:
    """The ways of choosing a rate that are named, or all."""
    from study.experiments.methods import METHODS

    known = tuple(METHODS)
    return tuple(choice("method", name.strip(), known) for name in text.split(","))


@commands.command(
    "study contest results/mine",
    'study contest results/mine --methods "finder,random search" --seeds 5 --budget 3000',
)
def contest(
    folder: Folder,
    own: ModelOptions,
    means: WorkerOptions,
    trainer: TrainerOptions,
    seeds: Count = 3,
    methods: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Ways to choose, separated by commas. Not given: all."),
    ] = None,
    budget: Annotated[
        int, whole(600, 10**9, help="Steps of each search that is given a budget.")
    ] = 6000,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The folder of the contest. Not given: DIR/contest."
        ),
    ] = None,
) -> None:
    """Let every way of choosing a rate pick one for each optimizer of a grid, and train there.

    Print what the picks are worth: how much longer they take than the best rate of the grid.
    """
    from study import figures, tables
    from study.execution.own_model import own_trainer
    from study.experiments.contest import run_contest
    from study.experiments.methods import METHODS
    from study.tables import contests

    chosen = tuple(METHODS) if methods is None else _methods(methods)
    out = folder / "contest" if out is None else out
    rows = run_contest(
        folder,
        out,
        seeds,
        chosen,
        budget=budget,
        workers=means.workers,
        memory=means.memory,
        silence=means.hang_limit,
        factory=own_trainer(folder, own.given(), trainer.setup()),
    )
    found = contests.summary(rows)
    frame(found)
    drawn = {
        "contest-picks": figures.picks(rows, tables.load(folder)),
        "contest-costs": figures.costs(rows, found),
    }
    typer.echo()
    written([out / "contest.csv", *figures.save(drawn, out)], indent="  ")


@commands.command("study cycles --out results/cycles --seeds 10")
def cycles(
    out: MakeIn,
    trainer: TrainerOptions,
    seeds: Count = 5,
    dataset: Annotated[
        str,
        among(
            DATASETS,
            metavar="NAME|FILE.npz",
            help="mnist, fashion-mnist, or an .npz file with the four keys of MNIST's file.",
        ),
    ] = "mnist",
) -> None:
    """Repeat the case study of cyclical rates with its controls; print what the cycle gains."""
    from study import figures
    from study.experiments.cycles import run_cycles
    from study.tables import case_study

    rows = run_cycles(out, seeds, dataset, factory=trainer.setup())
    frame(case_study.summary(rows).rename(columns={"error": "test error %"}))
    typer.echo(f"\n{case_study.conclusion(rows)}\n")
    written(figures.save({"cycles": figures.cycles(rows)}, out), indent="  ")


@commands.command("study schedules --out drawn")
def schedules(out: MakeIn) -> None:
    """Print every schedule with its arguments; draw how its rate changes over the steps."""
    from study import figures
    from study.spec.schedules.parse import describe

    for name, arguments, meaning in describe():
        typer.echo(f"{name}: {arguments}\n    {meaning}")
    written(figures.save(figures.every_schedule(), out))
