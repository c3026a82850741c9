"""Commands that search a rate for one optimizer, or confirm those that a study selected."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from study.cli.formatting import LOG, as_json, frame, note, table, what, written
from study.cli.option_sets import SearchOptions, TrainerOptions, WorkerOptions
from study.cli.options import AsJson, Count, Files, Folder, ModelOptions, Optimizer
from study.cli.parameters import Family, among, read_by, real, whole
from study.engines.choice import EngineChoice
from study.engines.learner import Learner
from study.search import finder, halving, rules, staircase
from study.spec.networks import CLASSES
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.validation import choice
from study.words import counted

commands = Family("Choose a rate")

UNITS = ("epochs", "steps")


@commands.command(
    "study find-rate --optimizer adam",
    "study find-rate --optimizer sgd --low 1e-4 --high 100 --stop none --out sweep",
    name="find-rate",
)
def find_rate(
    optimizer: Optimizer,
    asked: SearchOptions,
    own: ModelOptions,
    trainer: TrainerOptions,
    low: Annotated[float, real(metavar="RATE", help="The first rate.")] = 1e-6,
    high: Annotated[
        float, real(metavar="RATE", help="The end of the ramp; this rate is not reached.")
    ] = 10.0,
    steps: Annotated[int, whole(help="Steps of the ramp.")] = 200,
    scale: Annotated[str, among(rules.SCALES, help="log or linear.")] = "log",
    stop: Annotated[
        float | None,
        read_by(
            finder.stop_of,
            metavar="X",
            help="Stop when the smoothed loss is X times its least value; or none.",
        ),
    ] = 4.0,
    out: Files = None,
    in_json: AsJson = False,
) -> None:
    """Train once under a rising learning rate; print the rate that each rule finds, and why."""
    spec = asked.spec(optimizer, own.given())
    finder.ramp(low, high, steps, scale)  # refuses what is no ramp before a framework is loaded
    trial, learner, _ = _learner(spec, asked.seed, out, trainer.setup())
    begun = time.monotonic()
    found = finder.sweep(learner, low, high, steps, scale, stop)[0]
    seconds = time.monotonic() - begun
    picks = {rule: found.pick(rule) for rule in rules.RULES}
    if in_json:
        rates = {rule: {"rate": pick.rate, "reason": pick.reason} for rule, pick in picks.items()}
        as_json(
            {
                "rules": rates,
                "stopped": found.stopped,
                "steps": len(found.rates),
                "seconds": seconds,
            }
        )
    else:
        table(["rule", "rate", "why"], [[rule, *_told(pick)] for rule, pick in picks.items()])
        count = f"{len(found.rates)} of {steps} steps in {seconds:.1f} s, compilation included"
        typer.echo(f"\n{what(trial)}: the sweep {_end(found, stop)}; {count}")
    if out is not None:
        _write_sweep(found, trial, out, in_json)


def _told(pick: rules.Pick) -> tuple[str, str]:
    """A pick in words: the rate, and why."""
    return "none" if pick.rate is None else f"{pick.rate:.3g}", pick.reason


def _end(found: finder.Sweep, stop: float | None) -> str:
    """How a sweep ended, in words."""
    ends = {
        "end": "ran to its end",
        "threshold": f"was stopped, the loss being {stop or 0:g} times its least",
        "diverged": "diverged",
    }
    return ends[found.stopped]


def _write_sweep(found: finder.Sweep, trial: Trial, out: Path, aside: bool) -> None:
    """Write the curve as numbers and as a figure."""
    from study import figures

    columns = {
        "rate": found.rates,
        "loss": found.losses,
        "smoothed": found.smoothed,
        "accuracy": found.accuracy,
    }
    _write(out / "sweep.csv", columns, aside)
    if len(found.rates):
        drawn = figures.save({"sweep": figures.sweep(found, what(trial))}, out)
        written(drawn, aside=aside)


@commands.command(
    "study staircase --optimizer sgd",
    "study staircase --optimizer sgd --search 0.01:0.01:50,0.1:0.1:50 --unit steps --fresh",
    name="staircase",
)
def climb(
    optimizer: Optimizer,
    asked: SearchOptions,
    own: ModelOptions,
    trainer: TrainerOptions,
    search: Annotated[
        str,
        typer.Option(
            metavar="NAME|STAGES",
            help="coarse, fine, or stages START:STEP:REPEATS[:STOP], separated by commas.",
        ),
    ] = "coarse",
    unit: Annotated[
        str,
        read_by(
            partial(choice, "unit", allowed=UNITS),
            metavar="NAME",
            help="What is repeated at each rate: epochs or steps.",
        ),
    ] = "epochs",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start every rate from the same weights.")
    ] = False,
    out: Files = None,
    in_json: AsJson = False,
) -> None:
    """Raise the learning rate step by step, as ai-edu of Microsoft does; print each rate's loss."""
    spec, stages = asked.spec(optimizer, own.given()), staircase.parse(search)
    trial, learner, epoch = _learner(spec, asked.seed, out, trainer.setup())
    unit_steps = epoch if unit == "epochs" else 1
    with _climbing(staircase.units(stages), unit[:-1]) as watch:
        found = staircase.search(learner, stages, unit_steps, fresh, watch)[0]
    pick, ends, steps = found.pick(), found.ends(), found.rows[-1].step
    if in_json:
        led = [
            {"rate": end.rate, "loss": end.loss if math.isfinite(end.loss) else None}
            for end in ends
        ]
        as_json({"rate": pick.rate, "reason": pick.reason, "rates": led, "steps": steps})
    else:
        table(["rate", "loss"], [[f"{end.rate:g}", f"{end.loss:.4g}"] for end in ends])
        picked = "none" if pick.rate is None else f"{pick.rate:g}"
        typer.echo(
            f"\n{what(trial)}, {steps:,} steps. Picked (by a rule of this program; the source "
            f"leaves it to the eye): {picked}, {pick.reason}"
        )
    if out is not None:
        _write_staircase(found, trial, out, in_json)


@contextmanager
def _climbing(total: int, unit: str) -> Iterator[Callable[[staircase.Row], None]]:
    """A progress bar, and the function that moves it on by a row."""
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, file=sys.stderr, dynamic_ncols=True) as bar:

        def watch(row: staircase.Row) -> None:
            bar.update(1)
            bar.set_postfix_str(f"rate {row.rate:g}, loss {row.loss:.4g}", refresh=False)

        yield watch


def _write_staircase(found: staircase.Staircase, trial: Trial, out: Path, aside: bool) -> None:
    """Write the rows as numbers and as a figure."""
    from study import figures

    names = ("rate", "repeat", "step", "loss", "accuracy")
    columns = {name: [getattr(row, name) for row in found.rows] for name in names}
    _write(out / "staircase.csv", columns, aside)
    drawn = {"staircase": figures.staircase(found, what(trial))}
    written(figures.save(drawn, out), aside=aside)


@commands.command(
    "study halve --optimizer sgd",
    "study halve --optimizer adam --start 1 --steps 200",
    name="halve",
)
def halve(
    optimizer: Optimizer,
    asked: SearchOptions,
    own: ModelOptions,
    trainer: TrainerOptions,
    start: Annotated[float, real(0, 1e12, metavar="RATE", help="The first rate.")] = 10.0,
    steps: Annotated[int, whole(1, 10**6, help="Steps of each try.")] = 100,
    in_json: AsJson = False,
) -> None:
    """Halve the rate until the loss no longer grows; print every try.

    A rate that passes may still be too large to learn with.
    """
    spec = asked.spec(optimizer, own.given())
    trial, learner, _ = _learner(spec, asked.seed, None, trainer.setup())
    found = halving.halve(learner, start, steps)[0]
    if in_json:
        tries = [{"rate": one.rate, "diverged": one.diverged} for one in found.tries]
        as_json({"rate": found.rate, "steps": found.steps, "tries": tries})
        return
    rows = []
    for one in found.tries:
        end = "diverged" if one.diverged else "did not diverge"
        rows.append([f"{one.rate:.4g}", f"{one.first:.4g}", f"{one.last:.4g}", end])
    table(["rate", "first loss", "last fifth", ""], rows)
    end = (
        f"every rate diverged, down to {found.tries[-1].rate:.3g}"
        if found.rate is None
        else f"found {found.rate:.4g}"
    )
    tried = counted(len(found.tries), "try", "tries")
    typer.echo(f"\n{what(trial)}: {end}; {tried}, {found.steps:,} steps")
    guessing = math.log(CLASSES)
    if not trial.start and found.rate is not None and found.tries[-1].last > 0.95 * guessing:
        note(
            [
                f"the network does not diverge at {found.rate:.4g}, but it does not learn either: "
                f"its loss is that of guessing, {guessing:.2f}"
            ]
        )


def _learner(
    spec: StudySpec, seed: int, out: Path | None, setup: EngineChoice
) -> tuple[Trial, Learner, int]:
    """The trial, a learner of it alone, and the steps of an epoch of its data.

    `out` is made first, as it may fail.
    """
    from study.execution.own_model import epoch_of, searched

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    trial, source = searched(spec, seed, setup)
    LOG.info("%s, trained by %s in %s", what(trial), setup.engine, setup.precision)
    epoch = epoch_of(trial, source)
    return trial, source.engine().learner([trial]), epoch


def _write(path: Path, columns: Mapping[str, Iterable[Any]], aside: bool) -> None:
    """Write columns as a CSV file, and name the file."""
    import pandas as pd

    from study import tables

    tables.write_csv(path, pd.DataFrame(columns), digits=9)
    written([path], aside=aside)


@commands.command("study confirm results/mine", "study confirm results/mine --seeds 20")
def confirm(
    folder: Folder,
    means: WorkerOptions,
    trainer: TrainerOptions,
    seeds: Count = 10,
    in_json: AsJson = False,
) -> None:
    """Train the best rate of each optimizer again on fresh seeds, into DIR/confirm.

    A best rate is the least of many noisy times, so it is partly luck. Fresh seeds tell what it
    takes without that luck. The claims take these times if there are three fresh seeds at least.
    """
    from study.experiments.confirm import run_confirm

    found = run_confirm(
        folder,
        seeds,
        workers=means.workers,
        memory=means.memory,
        silence=means.hang_limit,
        factory=trainer.setup(),
    )
    if in_json:
        as_json({"folder": str(folder), "rates": json.loads(found.to_json(orient="records"))})
        return
    frame(found)
    written([folder / "confirm" / "confirm.csv"])
