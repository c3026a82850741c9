"""Commands of the ways of choosing a rate, and of the contest between them; `study.cli` adds them
to its own.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from study.cli.options import (
    AsJson,
    Batch,
    Dataset,
    DeviceName,
    EngineName,
    Files,
    Folder,
    HangLimit,
    Hyper,
    Memory,
    NetworkName,
    Optimizer,
    Precision,
    Seed,
    Width,
    Workers,
    memory_of,
    path_of,
    setup_of,
    silence_of,
    workers_of,
)
from study.engines.choice import EngineChoice
from study.engines.learner import Learner
from study.errors import StudyError
from study.spec.networks import CLASSES
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.validation import choice, integer, number

app = typer.Typer()


Count = Annotated[str, typer.Option("--seeds", metavar="N", help="number of seeds")]


@app.command("find-rate")
def find_rate(
    optimizer: Optimizer,
    network: NetworkName = None,
    dataset: Dataset = None,
    width: Width = None,
    batch: Batch = None,
    hyper: Hyper = None,
    seed: Seed = "0",
    low: Annotated[str, typer.Option(metavar="RATE", help="the first rate")] = "1e-6",
    high: Annotated[
        str, typer.Option(metavar="RATE", help="the rate that the ramp ends short of")
    ] = "10",
    steps: Annotated[str, typer.Option(metavar="N", help="steps of the ramp")] = "200",
    scale: Annotated[str, typer.Option(help="log or linear")] = "log",
    stop: Annotated[
        str,
        typer.Option(metavar="X", help="end when the smoothed loss is X times its least, or none"),
    ] = "4",
    out: Files = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Train once under a rising learning rate, and print the rate that each rule reads off the
    curve, and why.
    """
    from study.search import finder, rules

    trial = _trial(locals())
    lowest, highest, asked = (
        number("low", low, 0, 1e12),
        number("high", high, 0, 1e12),
        integer("steps", steps, 1, finder.MAX_STEPS),
    )
    finder.ramp(lowest, highest, asked, scale)  # refuses what is no ramp before anything is loaded
    multiple = finder.stop_of(stop)
    learner, _ = _learner(trial, out, setup_of(engine, device, precision))
    begun = time.monotonic()
    found = finder.sweep(learner, lowest, highest, asked, scale, multiple)[0]
    seconds = time.monotonic() - begun
    picks = {rule: found.pick(rule) for rule in rules.RULES}
    if as_json:
        rates = {rule: {"rate": pick.rate, "reason": pick.reason} for rule, pick in picks.items()}
        typer.echo(
            json.dumps(
                {
                    "rules": rates,
                    "stopped": found.stopped,
                    "steps": len(found.rates),
                    "seconds": seconds,
                }
            )
        )
    else:
        for rule, pick in picks.items():
            typer.echo(
                f"{rule:10}{'none' if pick.rate is None else f'{pick.rate:.3g}':>10}  {pick.reason}"
            )
        ends = {
            "end": "ran to its end",
            "threshold": f"was stopped, the loss being {stop} times its least",
            "diverged": "diverged",
        }
        count = f"{len(found.rates)} of {asked} steps in {seconds:.1f} s, compilation included"
        typer.echo(f"\n{_what(trial)}: the sweep {ends[found.stopped]}; {count}")
    if out is not None:
        from study import figures

        columns = {
            "rate": found.rates,
            "loss": found.losses,
            "smoothed": found.smoothed,
            "accuracy": found.accuracy,
        }
        _write(out / "sweep.csv", columns, as_json)
        if len(found.rates):
            _draw({"sweep": figures.sweep(found, _what(trial))}, out, as_json)


@app.command()
def staircase(
    optimizer: Optimizer,
    search: Annotated[
        str,
        typer.Option(metavar="NAME|STAGES", help="coarse, fine, or START:STEP:REPEATS[:STOP],..."),
    ] = "coarse",
    unit: Annotated[
        str, typer.Option(help="what is repeated at each rate: epochs or steps")
    ] = "epochs",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="start every rate from the same weights")
    ] = False,
    network: NetworkName = None,
    dataset: Dataset = None,
    width: Width = None,
    batch: Batch = None,
    hyper: Hyper = None,
    seed: Seed = "0",
    out: Files = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Climb the learning rate step by step, each held for a while, as Microsoft's ai-edu does;
    print what each rate led to.
    """
    from tqdm import tqdm

    from study.search import staircase

    trial, stages = _trial(locals()), staircase.parse(search)
    choice("unit", unit, ("epochs", "steps"))
    learner, epoch = _learner(trial, out, setup_of(engine, device, precision))
    with tqdm(
        total=staircase.units(stages), unit=unit[:-1], file=sys.stderr, dynamic_ncols=True
    ) as bar:

        def watch(row: staircase.Row) -> None:
            bar.update(1)
            bar.set_postfix_str(f"rate {row.rate:g}, loss {row.loss:.4g}", refresh=False)

        found = staircase.search(learner, stages, epoch if unit == "epochs" else 1, fresh, watch)[0]
    pick, ends = found.pick(), found.ends()
    if as_json:
        led = [
            {"rate": end.rate, "loss": end.loss if math.isfinite(end.loss) else None}
            for end in ends
        ]
        typer.echo(
            json.dumps(
                {
                    "rate": pick.rate,
                    "reason": pick.reason,
                    "rates": led,
                    "steps": found.rows[-1].step,
                }
            )
        )
    else:
        typer.echo(f"{'rate':>10} {'loss':>10}")
        for end in ends:
            typer.echo(f"{end.rate:10g} {end.loss:10.4g}")
        picked = "none" if pick.rate is None else f"{pick.rate:g}"
        typer.echo(
            f"\n{_what(trial)}, {found.rows[-1].step:,} steps. Picked (ours, the source goes by "
            f"eye): {picked}, {pick.reason}"
        )
    if out is not None:
        from study import figures

        names = ("rate", "repeat", "step", "loss", "accuracy")
        _write(
            out / "staircase.csv",
            {name: [getattr(row, name) for row in found.rows] for name in names},
            as_json,
        )
        _draw({"staircase": figures.staircase(found, _what(trial))}, out, as_json)


@app.command()
def halve(
    optimizer: Optimizer,
    start: Annotated[str, typer.Option(metavar="RATE", help="the first rate")] = "10",
    steps: Annotated[str, typer.Option(metavar="N", help="steps of a try")] = "100",
    network: NetworkName = None,
    dataset: Dataset = None,
    width: Width = None,
    batch: Batch = None,
    hyper: Hyper = None,
    seed: Seed = "0",
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Halve the learning rate until training no longer makes the loss worse; print every try. What
    passes may be too large to learn.
    """
    from study.search import halving

    trial = _trial(locals())
    first, count = number("start", start, 0, 1e12), integer("steps", steps, 1, 10**6)
    learner, _ = _learner(trial, None, setup_of(engine, device, precision))
    found = halving.halve(learner, first, count)[0]
    if as_json:
        tries = [{"rate": one.rate, "diverged": one.diverged} for one in found.tries]
        typer.echo(json.dumps({"rate": found.rate, "steps": found.steps, "tries": tries}))
        return
    typer.echo(f"{'rate':>10} {'first loss':>11} {'last fifth':>11}")
    for one in found.tries:
        typer.echo(
            f"{one.rate:10.4g} {one.first:11.4g} {one.last:11.4g}  "
            f"{'diverged' if one.diverged else 'did not diverge'}"
        )
    end = (
        f"every rate diverged, down to {found.tries[-1].rate:.3g}"
        if found.rate is None
        else f"found {found.rate:.4g}"
    )
    typer.echo(f"\n{_what(trial)}: {end}; {len(found.tries)} tries, {found.steps:,} steps")
    guessing = math.log(CLASSES)
    if found.rate is not None and found.tries[-1].last > 0.95 * guessing:
        typer.echo(
            "note: it does not diverge, nor does it learn: guessing has a loss of "
            f"{guessing:.2f}; a rate that kills units passes"
        )


@app.command()
def evolve(
    optimizer: Optimizer = "adam",
    members: Annotated[str, typer.Option(metavar="K", help="size of the population")] = "20",
    ready: Annotated[str, typer.Option(metavar="N", help="steps between two evolutions")] = "200",
    rounds: Annotated[str, typer.Option(metavar="N", help="rounds of so many steps")] = "10",
    low: Annotated[str, typer.Option(metavar="RATE", help="lowest rate of the prior")] = "1e-5",
    high: Annotated[str, typer.Option(metavar="RATE", help="highest rate of the prior")] = "10",
    share: Annotated[
        str, typer.Option(metavar="P", help="share that copies, and that is copied")
    ] = "0.2",
    resample: Annotated[
        str, typer.Option(metavar="P", help="probability that a copy's rate is drawn anew")
    ] = "0",
    bounded: Annotated[
        bool, typer.Option("--bounded", help="keep changed rates between --low and --high")
    ] = False,
    momenta: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH", help="search Momentum's coefficient between these too"),
    ] = None,
    network: NetworkName = None,
    dataset: Dataset = None,
    width: Width = None,
    batch: Batch = None,
    hyper: Hyper = None,
    seed: Seed = "0",
    out: Files = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Population-based training: members train side by side, the worst copy the best, and a
    schedule comes out.
    """
    trial = _trial(locals())
    if momenta is not None and optimizer != "momentum":
        raise StudyError(
            f"momenta {momenta} are of the optimizer momentum; {optimizer} has no such coefficient"
        )
    from study import data
    from study.search import population

    settings = population.Settings(
        members=integer("members", members, 1, 96),
        ready=integer("ready", ready, 1, 10**6),
        rounds=integer("rounds", rounds, 1, 10**5),
        low=number("low", low, 0, 1e12),
        high=number("high", high, 0, 1e12),
        share=number("share", share, 0, 0.5),
        resample=number("resample", resample, 0, 1, inclusive=True),
        bounded=bounded,
        momenta=None if momenta is None else _pair(momenta),
    )
    import numpy as np
    from tqdm import tqdm

    made = setup_of(engine, device, precision)(data.load(trial.dataset))
    with tqdm(total=settings.rounds, desc=f"{settings.members} members", leave=False) as bar:

        def watch(round_: population.Round) -> None:
            if not np.isnan(round_.scores).all():
                at = int(np.nanargmax(round_.scores))
                bar.set_postfix_str(
                    f"best {round_.scores[at]:.2%} at rate {round_.members[at].rate:.3g}"
                )
            bar.update(1)

        done = population.train(
            made.learner([trial] * settings.members),
            settings,
            np.random.default_rng(trial.seed),
            watch=watch,
        )
    if out is not None:
        _write_population(out, done, trial, settings)
    if as_json:
        typer.echo(json.dumps(done.to_json()))
        return
    if not done.survived:
        typer.echo(
            "Every member diverged, so there is no schedule: lower --high, which is "
            f"{settings.high:g}."
        )
        return
    typer.echo(f"{'from step':>9} {'rate':>10} {'momentum' if momenta else '':>9} {'accuracy':>9}")
    for round_, place in zip(done.rounds, done.places(), strict=True):
        member = round_.members[place]
        second = f"{member.momentum:.3g}" if momenta else ""
        typer.echo(
            f"{round_.step - done.ready:9,} {member.rate:10.4g} {second:>9} "
            f"{round_.scores[place]:9.2%}"
        )
    typer.echo(
        f"\nBest of {settings.members}: validation accuracy "
        f"{done.rounds[-1].scores[done.best]:.2%}, test {done.test_accuracy:.2%}."
    )
    typer.echo(
        f"Cost: {done.steps:,} steps of all members together, {done.seconds:.1f} s of training."
    )
    typer.echo(
        f"Its schedule: --rates {done.lineage()[0][1].rate:.6g} --schedule {done.schedule()}"
    )
    if momenta:
        typer.echo(
            "A schedule is of the rate alone: a study trains Momentum at 0.5, so the "
            "coefficients above are not retraced."
        )
    if out is not None:
        typer.echo(f"Written to {out}")


def _pair(text: str) -> tuple[float, float]:
    """LOW:HIGH as two numbers."""
    parts = text.split(":")
    if len(parts) != 2:
        raise StudyError(f"momenta {text!r} must read LOW:HIGH, such as 0:0.99")
    return (
        number("momentum", parts[0], 0, 1, inclusive=True),
        number("momentum", parts[1], 0, 1, inclusive=True),
    )


def _write_population(out: Path, done: Any, trial: Trial, settings: Any) -> None:
    import pandas as pd

    from study import figures

    out.mkdir(parents=True, exist_ok=True)
    rows = [
        {"step": round_.step, "member": i, **asdict(member), "validation_accuracy": score}
        for round_ in done.rounds
        for i, (member, score) in enumerate(zip(round_.members, round_.scores, strict=True))
    ]
    pd.DataFrame(rows).to_csv(out / "population.csv", index=False, float_format="%.6g")
    told = {key: value for key, value in done.to_json().items() if key != "rounds"}
    text = json.dumps({"trial": asdict(trial), "settings": asdict(settings), **told}, indent=1)
    (out / "population.json").write_text(text + "\n", encoding="utf-8")
    title = (
        f"{trial.optimizer} on the {trial.network} network, {Path(trial.dataset).name}, "
        f"batch {trial.batch}, seed {trial.seed}"
    )
    figures.save({"lineage": figures.lineage(done, title)}, out)


@app.command()
def schedules(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="where the figures go", parser=path_of)
    ],
) -> None:
    """Print every schedule with its arguments, and draw what they look like: rate against step."""
    from study import figures
    from study.spec.schedules.parse import describe

    for name, arguments, what in describe():
        typer.echo(f"{name}: {arguments}\n    {what}")
    for path in figures.save(figures.every_schedule(), out):
        typer.echo(path)


@app.command()
def cycles(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="the case study's folder", parser=path_of)
    ],
    seeds: Count = "5",
    dataset: Annotated[
        str, typer.Option(help="mnist, fashion-mnist, or an .npz file with MNIST's four keys")
    ] = "mnist",
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
) -> None:
    """The case study of cyclical rates with its controls: train what is missing, print error,
    seconds and what is the cycle's gain.
    """
    from study import figures
    from study.experiments.cycles import run_cycles
    from study.tables import case_study

    rows = run_cycles(
        out,
        integer("seeds", seeds, 1, 10_000),
        dataset,
        factory=setup_of(engine, device, precision),
    )
    table = case_study.summary(rows).rename(columns={"error": "test error %"})
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    typer.echo(f"\n{case_study.conclusion(rows)}\n")
    for path in figures.save({"cycles": figures.cycles(rows)}, out):
        typer.echo(f"  {path}")


@app.command()
def contest(
    folder: Folder,
    seeds: Count = "3",
    methods: Annotated[
        str | None, typer.Option(help="names separated by commas; all where not given")
    ] = None,
    budget: Annotated[
        str, typer.Option(metavar="N", help="steps of a search that is given a budget")
    ] = "6000",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="its folder; DIR/contest where not given", parser=path_of
        ),
    ] = None,
    workers: Workers = "auto",
    memory: Memory = None,
    hang_limit: HangLimit = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
) -> None:
    """Let every way of choosing a rate pick one for each optimizer of a stored grid, train at the
    picks, and print what they are worth.
    """
    from study import figures, tables
    from study.experiments.contest import run_contest
    from study.experiments.methods import METHODS
    from study.tables import contests

    known = tuple(METHODS)
    chosen = (
        known
        if methods is None
        else tuple(choice("method", name.strip(), known) for name in methods.split(","))
    )
    out = folder / "contest" if out is None else out
    count, steps = integer("seeds", seeds, 1, 10_000), integer("budget", budget, 600, 10**9)
    setup = setup_of(engine, device, precision)
    table = run_contest(
        folder,
        out,
        count,
        chosen,
        budget=steps,
        workers=workers_of(workers),
        memory=memory_of(memory),
        silence=silence_of(hang_limit),
        factory=setup,
    )
    found = contests.summary(table)
    typer.echo(found.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    drawn = {
        "contest-picks": figures.picks(table, tables.load(folder)),
        "contest-costs": figures.costs(table, found),
    }
    typer.echo("")
    for path in [out / "contest.csv", *figures.save(drawn, out)]:
        typer.echo(f"  {path}")


def _trial(arguments: dict[str, Any]) -> Trial:
    """The trial whose network, data and optimizer a search's arguments name; its own rate is never
    used.
    """
    given = {
        key: arguments[key]
        for key in ("network", "dataset", "batch", "hyper")
        if arguments[key] is not None
    }
    widths = {} if arguments["width"] is None else {"widths": (arguments["width"],)}
    spec = StudySpec(rates=(1.0,), optimizers=(arguments["optimizer"],)).with_(**given, **widths)
    return replace(spec.trials()[0], seed=integer("seed", arguments["seed"], 0, 2**31 - 1))


def _learner(trial: Trial, out: Path | None, setup: EngineChoice) -> tuple[Learner, int]:
    """A learner of that trial alone, and its steps an epoch; `out` is made first, since that may
    fail.
    """
    from study import data

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    images = data.load(trial.dataset)
    return setup(images).learner([trial]), len(images.y_train) // trial.batch


def _what(trial: Trial) -> str:
    """What a search trained, in words."""
    return (
        f"{trial.optimizer}, {trial.network} network, width {trial.width:g}, "
        f"{Path(trial.dataset).name}, batch {trial.batch}"
    )


def _write(path: Path, columns: Mapping[str, Iterable[Any]], quiet: bool) -> None:
    """Write columns as a CSV file, and say where."""
    rows = [
        ",".join(columns),
        *(",".join(f"{value:.9g}" for value in row) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    typer.echo(path, err=quiet)


def _draw(drawn: dict[str, Any], out: Path, quiet: bool) -> None:
    """Save figures, and say where."""
    from study import figures

    for path in figures.save(drawn, out):
        typer.echo(path, err=quiet)
