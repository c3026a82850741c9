"""The command line: arguments to calls. Every mistake is one sentence and exit code 2."""

from __future__ import annotations

import io
import json
import math
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from study.cli import methods
from study.cli.formatting import _best, _duration, _outcomes, _times
from study.cli.options import (
    LONGEST_WAIT,
    AsJson,
    Backend,
    Batch,
    Cap,
    CheckEvery,
    Dataset,
    DeviceName,
    EngineName,
    Folder,
    Folders,
    HangLimit,
    Hyper,
    MaxSteps,
    Memory,
    Metric,
    Mode,
    NetworkName,
    Of,
    Optimizers,
    Out,
    Precision,
    Prune,
    Rates,
    ScaleDense,
    Schedule,
    Scheduler,
    Seeds,
    Target,
    WaitQuiet,
    Widths,
    Workers,
    memory_of,
    path_of,
    setup_of,
    silence_of,
    workers_of,
)
from study.cli.stop import terminable
from study.errors import StudyError, Terminated
from study.spec.presets import ON_GPU, PRESETS, preset, read_spec
from study.spec.study import SPEC_FIELDS, StudySpec
from study.validation import integer, number
from study.words import budget

app = typer.Typer(
    help="Train one network at many learning rates with many optimizers, and measure what each "
    "rate costs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(methods.app)


What = Annotated[
    str,
    typer.Argument(
        metavar="PRESET|FILE.toml",
        help=f"a preset ({', '.join(PRESETS)}) or a TOML file of the same keys",
    ),
]


def spec_of(what: str, out: str | None = None, **options: Any) -> StudySpec:
    """The preset or file, with the options that were given put over it; `out` may hold the study
    already.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if what.endswith(".toml"):
        spec = read_spec(Path(what))
    else:
        spec = preset(what)
        if what in ON_GPU:
            from study.machine.here import this_machine

            spec = preset(what, gpu=bool(this_machine().gpus))
    rates = str(given.get("rates", ""))
    if rates.partition(":")[0] == "auto":
        from study.execution import study_folder

        del given["rates"]
        found, source = study_folder.rates_around(rates, spec.with_(**given), out)
        typer.echo(
            f"rates {', '.join(f'{rate:g}' for rate in found)}: around the best of {source}",
            err=True,
        )
        given["rates"] = found
    return spec.with_(**given)


@app.command()
def run(
    what: What,
    out: Out = None,
    optimizers: Optimizers = None,
    rates: Rates = None,
    widths: Widths = None,
    seeds: Seeds = None,
    network: NetworkName = None,
    dataset: Dataset = None,
    target: Target = None,
    metric: Metric = None,
    cap: Cap = None,
    max_steps: MaxSteps = None,
    batch: Batch = None,
    check_every: CheckEvery = None,
    mode: Mode = None,
    hyper: Hyper = None,
    scale_dense: ScaleDense = None,
    prune: Prune = None,
    schedule: Schedule = None,
    workers: Workers = "auto",
    memory: Memory = None,
    backend: Backend = "loky",
    scheduler: Scheduler = None,
    retry: Annotated[bool, typer.Option("--retry", help="train trials again that failed")] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="move stored lines that cannot be read aside, into FILE.bad"),
    ] = False,
    hang_limit: HangLimit = None,
    wait_quiet: WaitQuiet = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
) -> None:
    """Train a study's trials, or those still missing, then write its tables and figures."""
    setup = setup_of(
        engine, device, precision
    )  # first: a preset and `auto` depend on the machine that is left
    spec = _spec(locals())
    from study import figures, tables
    from study.execution import driver
    from study.execution.request import Request
    from study.storage.store import Store

    processes, most = workers_of(workers), memory_of(memory)
    silence = silence_of(hang_limit)
    if device is not None and backend != "loky":
        raise StudyError(
            f"the device {device} is for the backend loky: each worker of {backend} takes what "
            "CUDA_VISIBLE_DEVICES leaves it"
        )
    request = Request(
        spec,
        out,
        workers=processes,
        memory=most,
        retry=retry,
        repair=repair,
        silence=silence,
        backend=backend,
        scheduler=scheduler,
        patience=_patience(wait_quiet),
        factory=setup,
    )
    folder = driver.run(request, warn=_warn)
    last = Store(folder).machine().get("fingerprint")
    here = last if last in {stored.fingerprint for stored in Store(folder).runs()} else None
    tables.write(folder, machine=here)
    paths = figures.write(folder, machine=here)
    runs = tables.load(folder, here)
    typer.echo(
        f"\n{_outcomes(runs['outcome'])} of {len(runs)} trials. Best rate of each optimizer:\n"
    )
    typer.echo(_best(tables.best(runs)))
    _warn(tables.warnings(runs, spec, tables.curves(folder), tables.elsewhere(folder, runs)))
    typer.echo("\nFigures:")
    for path in paths:
        typer.echo(f"  {path}")


@app.command()
def plan(
    what: What,
    out: Out = None,
    optimizers: Optimizers = None,
    rates: Rates = None,
    widths: Widths = None,
    seeds: Seeds = None,
    network: NetworkName = None,
    dataset: Dataset = None,
    target: Target = None,
    metric: Metric = None,
    cap: Cap = None,
    max_steps: MaxSteps = None,
    batch: Batch = None,
    check_every: CheckEvery = None,
    mode: Mode = None,
    hyper: Hyper = None,
    scale_dense: ScaleDense = None,
    prune: Prune = None,
    schedule: Schedule = None,
    workers: Workers = "auto",
    memory: Memory = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Print the trials, the groups they train in and the predicted time; run nothing."""
    setup = setup_of(
        engine, device, precision
    )  # first: a preset and `auto` depend on the machine that is left
    spec = _spec(locals())
    from study.execution import driver, study_folder
    from study.execution.request import Request

    folder = study_folder.folder_of(spec, out, setup.site())
    request = Request(
        spec, out, workers=workers_of(workers), memory=memory_of(memory), factory=setup
    )
    look = driver.outlook(request)
    todo = look.plan
    sizes = Counter(len(group) for group in todo.groups)
    if as_json:
        answer = {
            "trials": len(spec),
            "stored": len(spec) - len(todo.pending),
            "groups": [len(group) for group in todo.groups],
            "workers": look.use.jobs,
            "uncalibrated": len(todo.uncalibrated),
            "seconds": todo.seconds,
            "at_most_seconds": todo.most_seconds,
            "guessed": bool(todo.uncalibrated),
        }
        typer.echo(json.dumps(answer))
        return
    typer.echo(f"Study {spec.name} in {folder}")
    product = {
        "optimizers": len(spec.optimizers),
        "rates": len(spec.rates),
        "widths": len(spec.widths),
        "seeds": spec.seeds,
    }
    typer.echo(
        f"Trials: {len(spec)} = {' x '.join(f'{count} {name}' for name, count in product.items())}"
    )
    typer.echo(f"  optimizers: {', '.join(spec.optimizers)}")
    typer.echo(f"  rates: {', '.join(f'{rate:g}' for rate in spec.rates)}")
    typer.echo(
        f"  {spec.network} network, widths {', '.join(f'{width:g}' for width in spec.widths)}, "
        f"{spec.dataset}, batch {spec.batch}"
    )
    typer.echo(
        f"  each to {100 * spec.target:g} % {spec.metric} accuracy, given up after "
        f"{budget(spec.cap, spec.max_steps)}, mode {spec.mode}"
    )
    if spec.schedule != "constant":
        typer.echo(f"  schedule {spec.schedule}")
    typer.echo(f"Stored: {len(spec) - len(todo.pending)}, to run: {len(todo.pending)}")
    processes = f"{look.use.jobs} processes" if look.use.jobs > 1 else "one process"
    groups = [f"{count} of {size} lanes" for size, count in sorted(sizes.items())]
    typer.echo(f"Groups: {', '.join(groups) or 'none'}, on {processes}")

    if todo.uncalibrated:
        typer.echo(f"Step times to measure first: {len(todo.uncalibrated)} (a few seconds each)")
    guess = (
        " (a guess: step times have not been measured here, see calibrate)"
        if todo.uncalibrated or todo.unprobed
        else ""
    )
    most = f"at most {_duration(todo.most_seconds)}, if every trial spent its whole budget"
    typer.echo(f"Predicted time: {_duration(todo.seconds)}; {most}{guess}")


@app.command()
def calibrate(
    what: What = "quick",
    out: Out = None,
    optimizers: Optimizers = None,
    widths: Widths = None,
    network: NetworkName = None,
    batch: Batch = None,
    hyper: Hyper = None,
    scale_dense: ScaleDense = None,
    again: Annotated[
        bool, typer.Option("--again", help="take another reading of what is known already, too")
    ] = False,
    wait_quiet: WaitQuiet = None,
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
) -> None:
    """Measure each optimizer's step time alone on this machine, and store it beside the study."""
    setup = setup_of(
        engine, device, precision
    )  # first: a preset and `auto` depend on the machine that is left
    spec = _spec(locals())
    from study.execution import calibrate
    from study.storage.step_times import key_of

    times = calibrate.calibrate(
        spec, out, again=again, patience=_patience(wait_quiet), warn=_warn, factory=setup
    )
    typer.echo(
        f"{'network':10} {'width':>6} {'optimizer':10} {'batch':>6}  median ms    quartiles     "
        "    machine  measured"
    )
    for key in dict.fromkeys(key_of(trial) for trial in spec.trials()):
        for time in (time for time in times.readings if time.key == key):
            quartiles = f"{1e3 * time.low:.3f} to {1e3 * time.high:.3f}"
            state = {True: "quiet", False: "busy", None: "-"}[time.quiet]
            typer.echo(
                f"{time.network:10} {time.width:6g} {time.optimizer:10} {time.batch:6}  "
                f"{1e3 * time.seconds:9.3f}    {quartiles:16}  "
                f"{state:7}  "
                f"{time.measured_at[:16]}{' (in use)' if time == times.times[key] else ''}"
            )
    typer.echo(f"Stored in {', '.join(str(path) for path in times.paths)}")


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Print how a study's trials ended, by optimizer, what remains, and what they cost."""
    from study import tables
    from study.storage.store import Store

    store = Store(folder)
    spec, runs = store.spec(), store.runs()
    one_machine = len({run.fingerprint for run in runs}) == 1  # seconds of several do not add up
    costs = tables.costs(tables.frame(runs), store.spent()) if one_machine else {}
    wanted = {trial.id: trial for trial in spec.trials()}
    stored = [stored for stored in runs if stored.id in wanted]
    outcomes = Counter(run.outcome.value for run in stored)
    if as_json:
        by_optimizer = {
            name: dict(Counter(run.outcome.value for run in stored if run.trial.optimizer == name))
            for name in spec.optimizers
        }
        answer = {
            "trials": len(spec),
            "stored": len(stored),
            "remaining": len(spec) - len(stored),
            "outcomes": dict(outcomes),
            "by_optimizer": by_optimizer,
            "busy": sum(run.quiet is False for run in stored),
            **costs,
        }
        typer.echo(json.dumps(answer))
        return
    names = sorted(outcomes)
    typer.echo(
        f"Study {spec.name} in {folder}: {len(stored)} of {len(spec)} trials stored, "
        f"{len(spec) - len(stored)} remain\n"
    )
    typer.echo(f"{'optimizer':10} {''.join(f'{name:>10}' for name in names)} {'remain':>10}")
    for name in spec.optimizers:
        counts = Counter(run.outcome.value for run in stored if run.trial.optimizer == name)
        remain = len(spec) // len(spec.optimizers) - counts.total()
        typer.echo(f"{name:10} {''.join(f'{counts[outcome]:10}' for outcome in names)} {remain:10}")
    if costs and costs["spent_seconds"]:
        whole, stopping, spent = (
            costs[name]
            for name in ("one_by_one_seconds", "one_by_one_stopping_seconds", "spent_seconds")
        )
        typer.echo(
            "\nOne by one, to arrival or the whole budget, these trials take "
            f"{_duration(whole)}, {_times(whole / spent)} the "
            f"{_duration(spent)} that the study took; with diverged and stuck ones ended early "
            f"{_duration(stopping)}, "
            f"{_times(stopping / spent)}"
        )
    if runs:
        told = tables.frame(runs)
        _warn([*filter(None, [tables.busy(told)]), *tables.unreached(told)])
    others = len(runs) - len(stored)
    if others:
        typer.echo(
            f"\n{others} more stored trials are not in the study's present grid; tables and "
            "figures show them all"
        )


@app.command()
def verify(
    folder: Folder,
    trials: Annotated[
        str, typer.Option(metavar="N", help="how many stored trials to train again")
    ] = "12",
    seed: Annotated[str, typer.Option(metavar="S", help="which ones: a seed of the choice")] = "0",
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Train some stored trials again, alone on this machine, and print how far their reconstructed
    seconds were from the clock's.
    """
    from study.execution import calibrate

    count, draw = integer("trials", trials, 1, 100_000), integer("seed", seed, 0, 2**32)
    checks, facts = calibrate.verify(
        folder, count, draw, factory=setup_of(engine, device, precision), warn=_warn_aside
    )
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(
        f"{'optimizer':10} {'rate':>9} {'stored':>9} {'alone':>9} {'steps':>7} {'alone':>7} "
        f"{'ms a step':>10} {'alone':>7} {'error':>7}"
    )
    for check in checks:
        run = check.run
        steps = f"{run.outcome.value:>9} {check.outcome:>9} {run.steps:7} {check.steps:7}"
        step = (
            f"{1e3 * (run.step_seconds or 0):10.3f} {1e3 * check.seconds / check.steps:7.3f} "
            f"{check.step_time_error:7.1%}"
        )
        typer.echo(f"{run.trial.optimizer:10} {run.trial.learning_rate:9.3g} {steps} {step}")
    typer.echo(
        f"\n{facts['trials']} trials: step-time error median "
        f"{facts['median_step_time_error']:.1%}, worst "
        f"{facts['worst_step_time_error']:.1%}; same outcome {facts['outcome_agreement']:.0%}, "
        f"same steps {facts['same_steps']:.0%}"
    )


@app.command()
def hindsight(folder: Folder, as_json: AsJson = False) -> None:
    """Print what --prune hopeless would have saved on a study's stored trials, and the arrivals it
    would have lost.
    """
    from study import tables
    from study.storage.store import Store

    table = tables.hindsight(tables.load(folder), Store(folder).checks())
    if table.empty:
        raise StudyError(
            f"{folder} stores no accuracies of trials that reached the target or were capped: "
            "nothing to look back on"
        )
    total = table.drop(columns="optimizer").sum()
    if as_json:
        typer.echo(json.dumps({name: int(value) for name, value in total.items()}))
        return
    typer.echo(table.to_string(index=False))
    share = total["saved"] / max(1, total["steps"])
    typer.echo(
        f"\n{total['pruned']} of {total['trials']} trials given up early, {share:.0%} of the "
        f"steps saved, {total['lost']} arrivals lost"
    )


@app.command()
def tables(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option("--out", help="where to; DIR/tables where not given")
    ] = None,
    by: Annotated[
        str,
        typer.Option(help="what a model's size is measured by: weights, multiply_adds or width"),
    ] = "weights",
    machine: Of = None,
) -> None:
    """Rebuild a study's tables from its stored runs, and print the best rates."""
    from study import tables
    from study.storage.store import Store
    from study.tables import intervals

    paths = tables.write(folder, out, by, machine)
    runs = tables.load(folder, machine)
    typer.echo(_best(tables.best(runs)))
    if runs["width"].nunique() >= intervals.FEWEST_SIZES:
        from study.tables import fits

        typer.echo(f"\nTime against n, {by.replace('_', '-')}: c + k n")
        for row in tables.sizes(runs, by).itertuples():
            typer.echo(f"  {fits.sentence(row)}")
    _warn(
        tables.warnings(
            runs, Store(folder).spec(), tables.curves(folder), tables.elsewhere(folder, runs)
        )
    )
    for path in paths:
        typer.echo(path)


@app.command()
def figures(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option("--out", help="where to; DIR/figures where not given")
    ] = None,
    machine: Of = None,
) -> None:
    """Redraw a study's figures from its stored runs."""
    from study import figures

    for path in figures.write(folder, out, machine):
        typer.echo(path)


@app.command()
def claims(folders: Folders, machine: Of = None, as_json: AsJson = False) -> None:
    """Hold the published study's claims against stored studies: a grid of rates, and a study of
    sizes.
    """
    from study import claims

    found = claims.judge(folders, machine)
    if as_json:
        typer.echo(json.dumps([verdict.to_json() for verdict in found]))
        return
    typer.echo(
        f"{'claim':22}{'verdict':10}{'statistic':>10}  {'interval':18}{'against':>8}  published"
    )
    for verdict in found:
        ends = "" if math.isnan(verdict.low) else f"{verdict.low:.3g} to {verdict.high:.3g}"
        number = "" if math.isnan(verdict.statistic) else f"{verdict.statistic:.3g}"
        published = claims.CLAIMS[verdict.id].published
        typer.echo(
            f"{verdict.id:22}{verdict.verdict:10}{number:>10}  "
            f"{ends:18}{verdict.threshold:8.3g}  {published}"
        )
    typer.echo()
    for verdict in found:
        typer.echo(
            f"{verdict.id}: {claims.CLAIMS[verdict.id].text}?\n    {verdict.verdict}: "
            f"{verdict.reason}"
        )
    counts = Counter(verdict.verdict for verdict in found)
    typer.echo(
        f"\n{', '.join(f'{counts[name]} {name}' for name in ('holds', 'fails', 'undecided'))}"
    )


@app.command("import-published")
def import_published(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="the published project's CSV and .xlsx files"),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="the new study's folder", parser=path_of)
    ],
    target: Annotated[
        str | None,
        typer.Option(metavar="A", help="accuracy that counts as success; 0.97, and 0.96 for sizes"),
    ] = None,
) -> None:
    """Make a study out of the published project's own result files, so that tables, figures, claims
    and compare work on them.
    """
    from study.storage import published

    aim = None if target is None else number("target", target, 0, 1)
    for folder, (spec, count) in published.import_published(files, out, aim).items():
        what = (
            f"{len(spec.optimizers)} optimizers, {len(spec.rates)} rates, {len(spec.widths)} widths"
        )
        typer.echo(f"{folder}: {count} trials ({what}; target {100 * spec.target:g} %)")


@app.command()
def compare(
    folders: Folders,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="compare studies of different protocols, too")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="where tables and figures go")
    ] = Path("results/comparison"),
    as_json: AsJson = False,
) -> None:
    """Lay studies over each other: best rates, ratios of seconds, and how much of them is step time
    and how much steps.
    """
    from study import figures
    from study.tables import compare

    studies, said = compare.sides(folders, anyway)
    cells = compare.ratios(studies)
    summary = compare.summary(cells, [side.name for side in studies[1:]])
    if as_json:
        typer.echo(
            json.dumps(
                {"differences": said, "ratios": json.loads(summary.to_json(orient="records"))}
            )
        )
        return
    typer.echo(
        "\n".join(
            [
                f"Comparing {', '.join(side.name for side in studies)}.",
                *(f"  they differ in {line}" for line in said),
            ]
        )
    )
    typer.echo("\nBest rates:\n")
    typer.echo(
        compare.best(studies).to_string(float_format=lambda value: f"{value:,.4g}", na_rep="-")
    )
    rows: Any = summary.itertuples()
    for row in rows:
        typer.echo(
            f"\n{row.study} over {studies[0].name}: of {row.cells} cells in common {row.both} "
            f"arrived in both, {row.first} in the first "
            f"alone, {row.second} in the second alone, {row.neither} in neither"
        )
        count = row.both
        if count:
            spread = f" (quartiles {row.low:.3g} to {row.high:.3g})" if count >= 5 else ""
            parts = (
                f": step time {row.step_seconds:.3g} times, steps {row.steps:.3g} times"
                if not math.isnan(row.steps)
                else ""
            )
            typer.echo(
                f"  seconds {row.ratio:.3g} times{spread}, n = "
                f"{count}{parts}{'' if parts else '; steps are not told'}"
            )
    out.mkdir(parents=True, exist_ok=True)
    cells.to_csv(out / "cells.csv", index=False, float_format="%.6g")
    summary.to_csv(out / "summary.csv", index=False, float_format="%.6g")
    common = set.intersection(*(set(side.runs["width"]) for side in studies))
    if not common:
        typer.echo("\nno width is common to them, so no valleys are drawn over each other")
        return
    width = min(common)
    frames = {side.name: side.runs[side.runs["width"] == width] for side in studies}
    drawn = {
        f"valleys-{measure}": figures.overlay(frames, measure)
        for measure in ("seconds", "steps")
        if _told(frames, measure)
    }
    for path in figures.save(drawn, out):
        typer.echo(path)


def _told(frames: dict[str, Any], measure: str) -> bool:
    return all(len(runs) and runs[measure].notna().any() for runs in frames.values())


@app.command()
def predict(
    folder: Folder,
    check: Annotated[
        str,
        typer.Option(
            "--check", metavar="N", help="train N of the trials here, and print the error"
        ),
    ] = "0",
    seed: Annotated[str, typer.Option(metavar="S", help="which ones: a seed of the choice")] = "0",
    engine: EngineName = "tensorflow",
    device: DeviceName = None,
    precision: Precision = "default",
    as_json: AsJson = False,
) -> None:
    """Print the seconds that a study's trials, stored on any machine, take on this one: its steps
    at step times measured here.
    """
    from study.execution import predict
    from study.training import verification

    count, draw = integer("check", check, 0, 100_000), integer("seed", seed, 0, 2**32)
    table, checks = predict.predict(
        folder, count, draw, factory=setup_of(engine, device, precision), warn=_warn_aside
    )
    facts = verification.summary(checks) if checks else {}
    if as_json:
        typer.echo(json.dumps({"trials": json.loads(table.to_json(orient="records")), **facts}))
        return
    shown = table.drop(columns="id").rename(
        columns={"seconds": "seconds_there", "outcome": "outcome_there"}
    )
    typer.echo(shown.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.4g}"))
    open_ = int((table["outcome_here"] == "open").sum())
    told = table[table["outcome_here"] != "open"]
    here, there = told["seconds_here"].sum(), told["seconds"].sum()
    typer.echo(
        f"\n{len(told)} trials, one after another: {_duration(here)} here, {_duration(there)} "
        f"there ({here / there:.2f} times)"
    )
    if open_:
        typer.echo(
            f"\n{open_} trials that were given up there would go on here, since steps are "
            "faster: how they end is open"
        )
    for one in checks:
        run = one.run
        step = (
            f"{1e3 * (run.step_seconds or 0):.3f} ms a step predicted, "
            f"{1e3 * one.seconds / one.steps:.3f} measured"
        )
        ends = (
            f"{run.outcome} after {run.seconds:.4g} s predicted, {one.outcome} after "
            f"{one.seconds:.4g} s measured"
        )
        typer.echo(f"{run.trial.optimizer:10} {run.trial.learning_rate:9.3g}  {ends}; {step}")
    if checks:
        typer.echo(
            f"\n{facts['trials']} trained here: error of the step time median "
            f"{facts['median_step_time_error']:.1%}, "
            f"worst {facts['worst_step_time_error']:.1%}; outcome as predicted "
            f"{facts['outcome_agreement']:.0%}, "
            f"same steps {facts['same_steps']:.0%}"
        )


@app.command()
def report(
    folders: Folders,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.html", help="the file to write")
    ] = Path("report.html"),
    machine: Of = None,
) -> None:
    """Write one self-contained HTML file on stored studies: protocol, machine, figures, best rates,
    fits, claims, warnings.
    """
    from study import report

    typer.echo(report.write(folders, out, machine))


RESUMABLE = ("run", "calibrate", "cycles", "contest")
"""Commands that store what they do as they go on."""


def main() -> None:
    """Run the command line; mistakes become one sentence on standard error and exit code 2, a full
    disk and its like exit code 1, and being stopped one that says how to go on, with 130 (Ctrl-C)
    or 143 (SIGTERM).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may be no Unicode
    try:
        with terminable():
            code = app(sys.argv[1:] or ["--help"], prog_name="study", standalone_mode=False)
    except Terminated:
        code = 143
    except StudyError as error:
        _complain(str(error), 2)
    except typer.TyperException as error:
        _complain(error.format_message().rstrip("."), 2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _complain(
            f"{error.filename or 'the disk'}: {error.strerror or error}; what was stored before "
            "is unharmed, and the same command goes on",
            1,
        )
    if code in (130, 143):  # typer turns Ctrl-C into 130
        typer.echo(err=True)
        stored = (
            "; every trial that had ended is stored. To go on"
            if sys.argv[1:2] and sys.argv[1] in RESUMABLE
            else ". To start again"
        )
        _complain(f"stopped{stored}: {_command()}", code)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(sentence: str, code: int) -> None:
    shown = "".join(
        char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(sentence.split())
    )  # no terminal is to obey it
    typer.echo(f"study: {shown}", err=True)
    sys.exit(code)


def _spec(arguments: dict[str, Any]) -> StudySpec:
    """The spec that a command's arguments ask for."""
    return spec_of(
        **{key: arguments[key] for key in ("what", "out", *SPEC_FIELDS) if key in arguments}
    )


def _patience(text: str | None) -> float:
    return 0.0 if text is None else number("wait-quiet", text, 0, LONGEST_WAIT)


def _command() -> str:
    """What was typed; `scripts/run` says how it was called."""
    return shlex.join([*os.environ.get("STUDY_COMMAND", "python -m study").split(), *sys.argv[1:]])


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        typer.echo(f"note: {sentence}")


def _warn_aside(sentences: list[str]) -> None:
    """Notes on standard error, where standard output is for programs."""
    for sentence in sentences:
        typer.echo(f"note: {sentence}", err=True)
