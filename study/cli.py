"""The command line: arguments to calls. Every mistake is one sentence and exit code 2."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from study.errors import StudyError, Terminated, terminable
from study.spec import PRESETS, StudySpec, integer, preset, read_spec

app = typer.Typer(
    help="Train one network at many learning rates with many optimizers, and measure what each rate costs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

What = Annotated[str, typer.Argument(metavar="PRESET|FILE.toml", help=f"a preset ({', '.join(PRESETS)}) or a TOML file of the same keys")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder")]
Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="the study's folder itself; results/<machine>/<study> where it is not given")
]
Optimizers = Annotated[str | None, typer.Option(help="names separated by commas")]
Rates = Annotated[str | None, typer.Option(help="published, LOW:HIGH:N (log-spaced), or rates separated by commas")]
Widths = Annotated[str | None, typer.Option(help="multipliers of the filters, separated by commas")]
Seeds = Annotated[str | None, typer.Option(metavar="N", help="number of seeds")]
NetworkName = Annotated[str | None, typer.Option("--network", help="compact or tutorial")]
Dataset = Annotated[str | None, typer.Option(help="mnist, fashion-mnist, or an .npz file with MNIST's four keys")]
Target = Annotated[str | None, typer.Option(metavar="A", help="accuracy to reach, in (0, 1]")]
Metric = Annotated[str | None, typer.Option(help="window, cumulative or validation")]
Cap = Annotated[str | None, typer.Option(metavar="SECONDS", help="seconds of training after which a trial is given up, or none")]
MaxSteps = Annotated[str | None, typer.Option(metavar="N", help="steps after which a trial is given up, or none")]
Batch = Annotated[str | None, typer.Option(metavar="N", help="images a step")]
CheckEvery = Annotated[str | None, typer.Option(metavar="N", help="steps between two looks at the accuracy")]
Mode = Annotated[str | None, typer.Option(help="array (trials train together) or alone (one by one, by the clock)")]
Hyper = Annotated[str | None, typer.Option(help="published (TensorFlow 1's hyper-parameters) or keras (Keras 3's)")]
Prune = Annotated[str | None, typer.Option(help="none, or hopeless: give up early what, extrapolated generously, will miss the target")]
ScaleDense = Annotated[bool | None, typer.Option("--scale-dense/--no-scale-dense", help="scale the first dense layer by the width too")]
Workers = Annotated[str, typer.Option(metavar="N", help="processes that train arrays at the same time; auto: as the machine suggests")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="memory to fill at most, such as 8GB; half of what is free if not given")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def spec_of(what: str, **options: Any) -> StudySpec:
    """The preset or file, with the options that were given put over it."""
    spec = read_spec(Path(what)) if what.endswith(".toml") else preset(what)
    return spec.with_(**{key: value for key, value in options.items() if value is not None})


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
    workers: Workers = "auto",
    memory: Memory = None,
    retry: Annotated[bool, typer.Option("--retry", help="train trials again that failed")] = False,
) -> None:
    """Train a study's trials, or those still missing, then write its tables and figures."""
    spec = _spec(locals())
    from study import driver, figures, tables

    folder = driver.folder_of(spec, out)
    driver.run(spec, out, workers=_workers(workers), memory=_memory(memory), retry=retry)
    tables.write(folder)
    paths = figures.write(folder)
    runs = tables.load(folder)
    typer.echo(f"\n{_outcomes(runs['outcome'])} of {len(runs)} trials. Best rate of each optimizer:\n")
    typer.echo(_best(tables.best(runs)))
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
    workers: Workers = "auto",
    memory: Memory = None,
    as_json: AsJson = False,
) -> None:
    """Print the trials, the groups they train in and the predicted time; run nothing."""
    spec = _spec(locals())
    from study import driver

    folder = driver.folder_of(spec, out)
    look = driver.outlook(spec, out, _workers(workers), _memory(memory))
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
    product = {"optimizers": len(spec.optimizers), "rates": len(spec.rates), "widths": len(spec.widths), "seeds": spec.seeds}
    typer.echo(f"Trials: {len(spec)} = {' x '.join(f'{count} {name}' for name, count in product.items())}")
    typer.echo(f"  optimizers: {', '.join(spec.optimizers)}")
    typer.echo(f"  rates: {', '.join(f'{rate:g}' for rate in spec.rates)}")
    budget = " and ".join([*([f"{spec.cap:g} s"] if spec.cap else []), *([f"{spec.max_steps} steps"] if spec.max_steps else [])])
    typer.echo(f"  {spec.network} network, widths {', '.join(f'{width:g}' for width in spec.widths)}, {spec.dataset}, batch {spec.batch}")
    typer.echo(f"  each to {100 * spec.target:g} % {spec.metric} accuracy, given up after {budget}, mode {spec.mode}")
    typer.echo(f"Stored: {len(spec) - len(todo.pending)}, to run: {len(todo.pending)}")
    processes = f"{look.use.jobs} processes" if look.use.jobs > 1 else "one process"
    typer.echo(f"Groups: {', '.join(f'{count} of {size} lanes' for size, count in sorted(sizes.items())) or 'none'}, on {processes}")
    if todo.uncalibrated:
        typer.echo(f"Step times to measure first: {len(todo.uncalibrated)} (a few seconds each)")
    guess = " (a guess: step times have not been measured here, see calibrate)" if todo.uncalibrated or todo.unprobed else ""
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
    again: Annotated[bool, typer.Option("--again", help="measure what is known already, too")] = False,
) -> None:
    """Measure the step time of each optimizer alone on this machine, and store it beside the study."""
    spec = _spec(locals())
    from study import driver
    from study.calibration import key_of

    times = driver.calibrate(spec, out, again=again)
    typer.echo(f"{'network':10} {'width':>6} {'optimizer':10} {'batch':>6}  median ms    quartiles")
    for key in dict.fromkeys(key_of(trial) for trial in spec.trials()):
        time = times.times[key]
        typer.echo(
            f"{time.network:10} {time.width:6g} {time.optimizer:10} {time.batch:6}  {1e3 * time.seconds:9.3f}    "
            f"{1e3 * time.low:.3f} to {1e3 * time.high:.3f}"
        )
    typer.echo(f"Stored in {', '.join(str(path) for path in times.paths)}")


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Print how a study's trials ended, by optimizer, what remains, and what they cost."""
    from study import tables
    from study.store import Store

    store = Store(folder)
    spec, runs = store.spec(), store.runs()
    costs = tables.costs(tables.frame(runs), store.spent()) if runs else {}
    wanted = {trial.id: trial for trial in spec.trials()}
    stored = [stored for stored in runs if stored.id in wanted]
    outcomes = Counter(run.outcome.value for run in stored)
    if as_json:
        by_optimizer = {name: dict(Counter(run.outcome.value for run in stored if run.trial.optimizer == name)) for name in spec.optimizers}
        answer = {
            "trials": len(spec),
            "stored": len(stored),
            "remaining": len(spec) - len(stored),
            "outcomes": dict(outcomes),
            "by_optimizer": by_optimizer,
            **costs,
        }
        typer.echo(json.dumps(answer))
        return
    names = sorted(outcomes)
    typer.echo(f"Study {spec.name} in {folder}: {len(stored)} of {len(spec)} trials stored, {len(spec) - len(stored)} remain\n")
    typer.echo(f"{'optimizer':10} {''.join(f'{name:>10}' for name in names)} {'remain':>10}")
    for name in spec.optimizers:
        counts = Counter(run.outcome.value for run in stored if run.trial.optimizer == name)
        remain = len(spec) // len(spec.optimizers) - counts.total()
        typer.echo(f"{name:10} {''.join(f'{counts[outcome]:10}' for outcome in names)} {remain:10}")
    if costs:
        ratio = f", {costs['cost_ratio']:.1f} times less" if costs["cost_ratio"] else ""
        typer.echo(
            f"\nOne by one, to arrival or the whole budget, these trials take {_duration(costs['one_by_one_seconds'])} "
            f"({_duration(costs['one_by_one_stopping_seconds'])} if diverged ones end at once); "
            f"the study took {_duration(costs['spent_seconds'])}{ratio}"
        )
    others = len(runs) - len(stored)
    if others:
        typer.echo(f"\n{others} more stored trials are not in the study's present grid; tables and figures show them all")


@app.command()
def verify(
    folder: Folder,
    trials: Annotated[str, typer.Option(metavar="N", help="how many stored trials to train again")] = "12",
    seed: Annotated[str, typer.Option(metavar="S", help="which ones: a seed of the choice")] = "0",
    as_json: AsJson = False,
) -> None:
    """Train some stored trials again, alone on this machine, and print how far their reconstructed seconds were from the clock's."""
    from study import driver

    count, draw = integer("trials", trials, 1, 100_000), integer("seed", seed, 0, 2**32)
    checks, facts = driver.verify(folder, count, draw)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(
        f"{'optimizer':10} {'rate':>9} {'stored':>9} {'alone':>9} {'steps':>7} {'alone':>7} {'ms a step':>10} {'alone':>7} {'error':>7}"
    )
    for check in checks:
        run = check.run
        steps = f"{run.outcome.value:>9} {check.outcome:>9} {run.steps:7} {check.steps:7}"
        step = f"{1e3 * run.seconds / run.steps:10.3f} {1e3 * check.seconds / check.steps:7.3f} {check.step_time_error:7.1%}"
        typer.echo(f"{run.trial.optimizer:10} {run.trial.learning_rate:9.3g} {steps} {step}")
    typer.echo(
        f"\n{facts['trials']} trials: step-time error median {facts['median_step_time_error']:.1%}, worst "
        f"{facts['worst_step_time_error']:.1%}; same outcome {facts['outcome_agreement']:.0%}, same steps {facts['same_steps']:.0%}"
    )


@app.command()
def hindsight(folder: Folder, as_json: AsJson = False) -> None:
    """Print what --prune hopeless would have saved on a study's stored trials, and the arrivals it would have lost."""
    from study import tables
    from study.store import Store

    table = tables.hindsight(tables.load(folder), Store(folder).checks())
    total = table.drop(columns="optimizer").sum()
    if as_json:
        typer.echo(json.dumps({name: int(value) for name, value in total.items()}))
        return
    typer.echo(table.to_string(index=False))
    share = total["saved"] / max(1, total["steps"])
    typer.echo(
        f"\n{total['pruned']} of {total['trials']} trials given up early, {share:.0%} of the steps saved, {total['lost']} arrivals lost"
    )


@app.command()
def tables(folder: Folder, out: Annotated[Path | None, typer.Option("--out", help="where to; DIR/tables where not given")] = None) -> None:
    """Rebuild a study's tables from its stored runs, and print the best rates."""
    from study import tables as module

    paths = module.write(folder, out)
    typer.echo(_best(module.best(module.load(folder))))
    for path in paths:
        typer.echo(path)


@app.command()
def figures(
    folder: Folder, out: Annotated[Path | None, typer.Option("--out", help="where to; DIR/figures where not given")] = None
) -> None:
    """Redraw a study's figures from its stored runs."""
    from study import figures as module

    for path in module.write(folder, out):
        typer.echo(path)


def main() -> None:
    """Run the command line; mistakes become one sentence on standard error and exit code 2, a full disk and its like exit code 1, and
    being stopped one that says how to go on, with 130 (Ctrl-C) or 143 (SIGTERM)."""
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
        _complain(f"{error.filename or 'the disk'}: {error.strerror or error}; what was stored before is unharmed", 1)
    if code in (130, 143):  # typer turns Ctrl-C into 130
        typer.echo(err=True)
        _complain(f"stopped; every trial that had ended is stored. To go on: {_command()}", code)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(sentence: str, code: int) -> None:
    typer.echo(f"study: {' '.join(sentence.split())}", err=True)
    sys.exit(code)


def _spec(arguments: dict[str, Any]) -> StudySpec:
    """The spec that a command's arguments ask for."""
    return spec_of(
        **{key: value for key, value in arguments.items() if key not in ("out", "workers", "memory", "retry", "as_json", "again")}
    )


def _workers(text: str) -> int | None:
    return None if text == "auto" else integer("workers", text, 1, 1000)


def _memory(text: str | None) -> float | None:
    from study.plan import parse_memory

    return None if text is None else parse_memory(text)


def _command() -> str:
    """What was typed; `scripts/run` says how it was called."""
    return shlex.join([*os.environ.get("STUDY_COMMAND", "python -m study").split(), *sys.argv[1:]])


def _outcomes(outcomes: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(outcomes).items()))


def _best(table: Any) -> str:
    """The best-rate table for a terminal."""
    lines = [f"{'optimizer':10} {'arrived':>10} {'lowest':>9} {'highest':>9} {'best rate':>10} {'seconds':>8} {'steps':>7}"]
    several = len(set(table["width"])) > 1
    for row in table.itertuples():
        arrived = f"{row.arrived} of {row.rates}"
        tail = f"  width {row.width:g}" if several else ""
        if row.arrived == 0:
            lines.append(f"{row.optimizer:10} {arrived:>10} {'-':>9} {'-':>9} {'-':>10} {'-':>8} {'-':>7}{tail}")
            continue
        edge = "  at the grid's edge: a better rate may lie beyond" if row.at_edge else ""
        rates = f"{row.lowest:9.3g} {row.highest:9.3g} {row.best_rate:10.3g}"
        lines.append(f"{row.optimizer:10} {arrived:>10} {rates} {row.seconds:8.2f} {row.steps:7.0f}{tail}{edge}")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
