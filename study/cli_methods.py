"""Commands of the ways of choosing a rate, and of the contest between them; `study.cli` adds them to its own."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from study.errors import StudyError
from study.spec import OPTIMIZERS, StudySpec, Trial
from study.values import choice, integer, number

app = typer.Typer()

Optimizer = Annotated[str, typer.Option(metavar="NAME", help=", ".join(OPTIMIZERS))]
Network = Annotated[str, typer.Option(help="compact, tutorial or mlp")]
Dataset = Annotated[str, typer.Option(help="mnist, fashion-mnist, or an .npz file with MNIST's four keys")]
Width = Annotated[str, typer.Option(metavar="W", help="multiplier of the filters")]
Batch = Annotated[str, typer.Option(metavar="N", help="images a step")]
Hyper = Annotated[str, typer.Option(help="published (TensorFlow 1's hyper-parameters) or keras (Keras 3's)")]
Seed = Annotated[str, typer.Option(metavar="S", help="of the initial weights, the batch order and the draws")]
Seeds = Annotated[str, typer.Option(metavar="N", help="number of seeds")]
Low = Annotated[str, typer.Option(metavar="RATE", help="lowest rate")]
High = Annotated[str, typer.Option(metavar="RATE", help="highest rate")]
OutTo = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder to write tables and figures to")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def trial_of(
    optimizer: str, network: str, dataset: str, width: str = "1", batch: str = "100", hyper: str = "published", seed: str = "0"
) -> Trial:
    """One trial of the study's network, at a rate that the method replaces."""
    choice("optimizer", optimizer, OPTIMIZERS)
    spec = StudySpec(
        optimizers=(optimizer,),
        rates=(1.0,),
        widths=(number("width", width, 0, 100),),
        network=network,
        dataset=dataset,
        batch=integer("batch", batch, 1, 10_000),
        hyper=hyper,
    )
    return replace(spec.trials()[0], seed=integer("seed", seed, 0, 2**31 - 1))


@app.command()
def evolve(
    optimizer: Optimizer = "adam",
    members: Annotated[str, typer.Option(metavar="K", help="size of the population")] = "20",
    ready: Annotated[str, typer.Option(metavar="N", help="steps between two evolutions")] = "200",
    rounds: Annotated[str, typer.Option(metavar="N", help="rounds of so many steps")] = "10",
    low: Low = "1e-5",
    high: High = "10",
    share: Annotated[str, typer.Option(metavar="P", help="share that copies, and that is copied")] = "0.2",
    resample: Annotated[str, typer.Option(metavar="P", help="probability that a copy's rate is drawn anew")] = "0",
    bounded: Annotated[bool, typer.Option("--bounded", help="keep changed rates between --low and --high")] = False,
    momenta: Annotated[str | None, typer.Option(metavar="LOW:HIGH", help="search Momentum's coefficient between these too")] = None,
    network: Network = "compact",
    dataset: Dataset = "mnist",
    width: Width = "1",
    batch: Batch = "100",
    hyper: Hyper = "published",
    seed: Seed = "0",
    out: OutTo = None,
    as_json: AsJson = False,
) -> None:
    """Population-based training: members train side by side, the worst copy the best, and a schedule comes out."""
    trial = trial_of(optimizer, network, dataset, width, batch, hyper, seed)
    if momenta is not None and optimizer != "momentum":
        raise StudyError(f"momenta {momenta} are of the optimizer momentum; {optimizer} has no such coefficient")
    from study import data, population
    from study.driver import tensorflow_engine

    settings = population.Settings(
        members=integer("members", members, 1, 96),
        ready=integer("ready", ready, 1, 10**6),
        rounds=integer("rounds", rounds, 1, 10**5),
        low=number("low", low, 0, 1e12),
        high=number("high", high, 0, 1e12),
        share=number("share", share, 0, 0.5),
        resample=number("resample", resample, -1, 1),
        bounded=bounded,
        momenta=None if momenta is None else _pair(momenta),
    )
    import numpy as np
    from tqdm import tqdm

    engine = tensorflow_engine(data.load(dataset))
    with tqdm(total=settings.rounds, desc=f"{settings.members} members", leave=False) as bar:

        def watch(round_: population.Round) -> None:
            at = int(np.argmax(round_.scores))
            bar.set_postfix_str(f"best {round_.scores[at]:.2%} at rate {round_.members[at].rate:.3g}")
            bar.update(1)

        done = population.train(engine.learner([trial] * settings.members), settings, np.random.default_rng(trial.seed), watch=watch)
    if out is not None:
        _write_population(out, done, trial, settings)
    if as_json:
        typer.echo(json.dumps({"best": done.best, "test_accuracy": done.test_accuracy, **done.to_json()}))
        return
    typer.echo(f"{'from step':>9} {'rate':>10} {'momentum':>9} {'accuracy':>9}")
    for round_, place in zip(done.rounds, done.places(), strict=True):
        member = round_.members[place]
        typer.echo(f"{round_.step - done.ready:9,} {member.rate:10.4g} {member.momentum:9.3g} {round_.scores[place]:9.2%}")
    typer.echo(f"\nBest of {settings.members}: validation accuracy {done.rounds[-1].scores[done.best]:.2%}, test {done.test_accuracy:.2%}.")
    typer.echo(f"Cost: {done.steps:,} steps of all members together, {done.seconds:.1f} s of training.")
    typer.echo(f"Its schedule: --rates {done.lineage()[0][1].rate:.6g} --schedule {done.schedule()}")
    if out is not None:
        typer.echo(f"Written to {out}")


def _pair(text: str) -> tuple[float, float]:
    """LOW:HIGH as two numbers."""
    parts = text.split(":")
    if len(parts) != 2:
        raise StudyError(f"momenta {text!r} must read LOW:HIGH, such as 0:0.99")
    return number("momentum", parts[0], -1e-9, 1), number("momentum", parts[1], -1e-9, 1)


def _write_population(out: Path, done: Any, trial: Trial, settings: Any) -> None:
    import pandas as pd

    from study import figures, figures_methods

    out.mkdir(parents=True, exist_ok=True)
    rows = [
        {"step": round_.step, "member": i, **asdict(member), "validation_accuracy": score}
        for round_ in done.rounds
        for i, (member, score) in enumerate(zip(round_.members, round_.scores, strict=True))
    ]
    pd.DataFrame(rows).to_csv(out / "population.csv", index=False, float_format="%.6g")
    told = {"trial": asdict(trial), "settings": asdict(settings), "best": done.best, "test_accuracy": done.test_accuracy}
    text = json.dumps({**told, "steps": done.steps, "seconds": done.seconds}, indent=1)
    (out / "population.json").write_text(text + "\n", encoding="utf-8")
    title = f"{trial.optimizer} on the {trial.network} network, {Path(trial.dataset).name}, batch {trial.batch}, seed {trial.seed}"
    figures.save({"lineage": figures_methods.lineage(done, title)}, out)


@app.command()
def cycles(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="the case study's folder")],
    seeds: Seeds = "5",
    dataset: Dataset = "mnist",
    width: Width = "1",
) -> None:
    """The case study of cyclical rates with its controls: train what is missing, print error, seconds and what is the cycle's gain."""
    from study import cycles as module
    from study import figures, figures_methods, methods

    rows = methods.run_cycles(out, integer("seeds", seeds, 1, 10_000), dataset, width=number("width", width, 0, 100))
    table = module.summary(rows).rename(columns={"error": "test error %"})
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    typer.echo(f"\n{module.conclusion(rows)}\n")
    for path in figures.save({"cycles": figures_methods.cycles(rows)}, out):
        typer.echo(f"  {path}")


@app.command()
def contest(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a grid study's folder: the truth")],
    seeds: Seeds = "3",
    methods: Annotated[str | None, typer.Option(help="names separated by commas; all where not given")] = None,
    budget: Annotated[str, typer.Option(metavar="N", help="steps of a search that is given a budget")] = "6000",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="the contest's folder; DIR/contest where not given")] = None,
) -> None:
    """Let every way of choosing a rate pick one for each optimizer of a stored grid, train at the picks, and print what they are worth."""
    from study import contest as module
    from study import figures, figures_methods, tables
    from study import methods as runner

    known = tuple(module.METHODS)
    chosen = known if methods is None else tuple(choice("method", name.strip(), known) for name in methods.split(","))
    out = folder / "contest" if out is None else out
    table = runner.run_contest(folder, out, integer("seeds", seeds, 1, 10_000), chosen, budget=integer("budget", budget, 600, 10**9))
    found = module.summary(table)
    typer.echo(found.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    drawn = {"contest-picks": figures_methods.picks(table, tables.load(folder)), "contest-costs": figures_methods.costs(table, found)}
    typer.echo("")
    for path in [out / "contest.csv", *figures.save(drawn, out)]:
        typer.echo(f"  {path}")
