"""Commands on a study: train it, foretell it, time its steps, and see how far it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from study.cli.formatting import (
    LOG,
    as_json,
    contest_status,
    cost,
    note,
    note_aside,
    of_drift,
    table,
    trained,
)
from study.cli.jobs import foretell, job_of, spec_of, train
from study.cli.option_sets import (
    RunOptions,
    SpecOptions,
    StepOptions,
    TrainerOptions,
)
from study.cli.options import (
    AsJson,
    Folder,
    ModelOptions,
    Out,
    ProgramOptions,
    SeedOf,
    WaitQuiet,
    What,
)
from study.cli.parameters import Family, whole
from study.spec.study import StudySpec
from study.words import counted

commands = Family("Study")


@commands.command(
    "study run quick",
    "study run mine.toml --workers 2 --wait-quiet 600",
    "study run quick --optimizers adam,sgd --rates 1e-3:1:12 --seeds 3 --out results/mine",
    "study run --model my_model.py:build --data my_model.py:load --rates 1e-5:1:13 --target 0.9",
    "study run --command 'python train.py {rate}' --rates 1e-5:1:13 --target 0.9 --cap 300",
    "study run article --backend dask --scheduler tcp://10.0.0.1:8786 --dry-run",
)
def run(
    asked: SpecOptions,
    own: ModelOptions,
    program: ProgramOptions,
    means: RunOptions,
    trainer: TrainerOptions,
    what: What = None,
    out: Out = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run, as plan does; train nothing.")
    ] = False,
    in_json: AsJson = False,
) -> None:
    """Train the trials of a study that are not stored yet; write its tables and figures.

    Every finished trial is stored at once. After a stop, the same command goes on from there.
    """
    job = job_of(what, asked, own.given() | program.given(), means, trainer, out)
    if dry_run:
        foretell(job, in_json)
    else:
        train(job, in_json)


@commands.command(
    "study plan article",
    "study plan quick --optimizers adam --out results/mine --json",
    "study plan article --backend dask --scheduler tcp://10.0.0.1:8786 --workers 8",
)
def plan(
    asked: SpecOptions,
    own: ModelOptions,
    program: ProgramOptions,
    means: RunOptions,
    trainer: TrainerOptions,
    what: What = None,
    out: Out = None,
    in_json: AsJson = False,
) -> None:
    """Print the trials, their groups and the predicted time; the same as run --dry-run."""
    foretell(job_of(what, asked, own.given() | program.given(), means, trainer, out), in_json)


@commands.command(
    "study calibrate quick",
    "study calibrate article --optimizers adam --again --wait-quiet 600",
)
def calibrate(
    asked: StepOptions,
    own: ModelOptions,
    trainer: TrainerOptions,
    what: What = None,
    out: Out = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure the known step times again, too.")
    ] = False,
    wait_quiet: WaitQuiet = None,
) -> None:
    """Measure how long a step of each optimizer takes on this machine; store it with the study."""
    setup = trainer.setup()  # first: the machine is what the device leaves of it
    spec = spec_of(what or (None if own.model else "quick"), asked, own.given(), out)
    from study.execution import calibrate
    from study.storage.step_times import key_of

    known = calibrate.calibrate(
        spec, out, again=again, patience=wait_quiet or 0.0, warn=note, factory=setup
    )
    rows = []
    for key in known.times if own.model else dict.fromkeys(map(key_of, spec.trials())):
        for time in (time for time in known.readings if time.key == key):
            rows.append(
                [
                    *(time.network, f"{time.width:g}", time.optimizer, str(time.batch)),
                    f"{1e3 * time.seconds:.3f}",
                    f"{1e3 * time.low:.3g} to {1e3 * time.high:.3g}",
                    {True: "quiet", False: "busy", None: "-"}[time.quiet],
                    time.measured_at[:16].replace("T", " "),
                    "used" if time == known.times[key] else "",
                ]
            )
    header = ["network", "width", "optimizer", "batch", "ms", "quartiles", "load"]
    table([*header, "measured", ""], rows)
    typer.echo(f"Stored in {', '.join(str(path) for path in known.paths)}")


@commands.command("study status results/mine", "study status results/mine --json")
def status(folder: Folder, in_json: AsJson = False) -> None:
    """Print how the trials of a study or contest ended, how many remain, and what they cost."""
    from study import tables
    from study.storage.published.protocol import protocol_in
    from study.storage.store import Store

    store = Store(folder)
    if not store.spec_path.exists() and store.settings("contest.json") is not None:
        contest_status(folder, in_json)
        return
    spec, runs = store.spec(), store.runs()
    LOG.info("read %s: %d trials", folder, len(runs))
    by = {run.seconds is not None and run.clock for run in runs}  # several do not add up
    costs = tables.costs(tables.frame(runs), store.spent()) if len(by) == 1 and all(by) else {}
    wanted = {trial.id for trial in spec.trials()}
    stored = [run for run in runs if run.id in wanted]
    protocol = protocol_in(store.machine())
    if in_json:
        as_json({**_progress(spec, stored, protocol is not None), **costs})
        return
    if protocol is not None:
        _imported(folder, spec, runs, len(store.curves()))
        note(tables.of_an_import(tables.stored(folder).runs, spec, protocol))
        return
    typer.echo(
        f"Study {spec.name} in {folder}: {len(stored)} of {len(spec)} trials stored, "
        f"{len(spec) - len(stored)} remain\n"
    )
    _outcomes(spec, stored)
    if costs and costs["spent_seconds"] and not spec.command:
        typer.echo(f"\n{cost(costs)}")
    trained(folder, runs)
    if runs:
        told = tables.frame(runs)
        late = tables.of_the_readings(tables.stored(folder))
        note([*filter(None, [tables.busy(told)]), *tables.unreached(told), *late])
    if len(runs) > len(stored):
        typer.echo(
            f"\n{len(runs) - len(stored)} more stored trials are not in the study's present grid; "
            "tables and figures show them all"
        )


def _outcomes(spec: StudySpec, stored: list[Any]) -> None:
    """Print how the trials of each optimizer ended, and how many remain."""
    names = sorted({run.outcome.value for run in stored})
    rows = []
    for name, counts in _by_optimizer(spec, stored).items():
        remain = len(spec) // len(spec.optimizers) - counts.total()
        rows.append([name, *(str(counts[outcome]) for outcome in names), str(remain)])
    table(["optimizer", *names, "remain"], rows)


@commands.command(
    "study verify results/mine",
    "study verify results/mine --trials 18 --seed 1",
    "study verify results/mine --across",
)
def verify(
    folder: Folder,
    trainer: TrainerOptions,
    trials: Annotated[int, whole(1, 100_000, help="Train N of the stored trials again.")] = 12,
    seed: SeedOf = 0,
    across: Annotated[
        bool,
        typer.Option(
            "--across",
            help="Train trials of other kinds of machine again here: do they take the same steps?",
        ),
    ] = False,
    in_json: AsJson = False,
) -> None:
    """Train some stored trials again, each alone, and compare their seconds with the clock's."""
    from study.execution import calibrate

    if across:
        _across(folder, trainer, trials, seed, in_json)
        return
    checks, facts = calibrate.verify(folder, trials, seed, factory=trainer.setup(), warn=note_aside)
    if in_json:
        as_json({**facts, "checks": checks})
        return
    rows = []
    for check in checks:
        run = check.run
        rows.append(
            [
                *(run.trial.optimizer, f"{run.trial.learning_rate:.3g}"),
                *(run.outcome.value, check.outcome, str(run.steps), str(check.steps)),
                f"{1e3 * (run.step_seconds or 0):.3f}",
                f"{1e3 * check.seconds / check.steps:.3f}",
                f"{1e3 * (check.step_beside or 0):.3f}",
                f"{check.step_time_error:.1%}",
            ]
        )
    header = ["optimizer", "rate", "stored", "alone", "steps", "alone", "ms a step", "alone"]
    table([*header, "beside it", "error"], rows)
    typer.echo(
        f"\n{facts['trials']} trials: step-time error median "
        f"{facts['median_step_time_error']:.1%}, worst {facts['worst_step_time_error']:.1%}; "
        f"same outcome {facts['outcome_agreement']:.0%}, same steps {facts['same_steps']:.0%}\n"
        f"By step times beside each trial it is {facts['median_error_beside']:.1%}{of_drift(facts)}"
    )


def _across(folder: Path, trainer: TrainerOptions, trials: int, seed: int, in_json: bool) -> None:
    """Check this kind of machine against those that trained the stored trials."""
    from study.execution.across import across

    checks, found = across(folder, trials, seed, factory=trainer.setup())
    if in_json:
        as_json({**found.to_json(), "agrees": found.agrees, "checks": checks})
        return
    rows = []
    for check in checks:
        run = check.run
        rows.append(
            [
                *(run.machine, run.trial.optimizer, f"{run.trial.learning_rate:.3g}"),
                *(run.outcome.value, check.outcome, str(run.steps), str(check.steps)),
            ]
        )
    table(["trained on", "optimizer", "rate", "stored", "here", "steps", "here"], rows)
    verdict = "takes the same steps" if found.agrees else "was not shown to take the same steps"
    typer.echo(f"\n{found.machine} {verdict}: {found}")


def _imported(folder: Path, spec: StudySpec, runs: list[Any], curves: int) -> None:
    """How the trials of an imported study ended: it is finished, whatever it lacks."""
    parts = [counted(len(runs), "trial"), counted(curves, "validation curve")]
    typer.echo(f"Study {spec.name} in {folder}, imported: {', '.join(parts)}")
    if not runs:
        return
    typer.echo()
    names = sorted({run.outcome.value for run in runs})
    counts = _by_optimizer(spec, runs)
    rows = [[name, *(str(each[outcome]) for outcome in names)] for name, each in counts.items()]
    table(["optimizer", *names], rows)


def _by_optimizer(spec: StudySpec, stored: list[Any]) -> dict[str, Counter[str]]:
    """Counts of outcomes."""
    from study.tables.rows import in_order

    return {
        name: Counter(run.outcome.value for run in stored if run.trial.optimizer == name)
        for name in in_order(spec.optimizers)
    }


def _progress(spec: StudySpec, stored: list[Any], imported: bool) -> dict[str, Any]:
    """How far a study is, for programs; of an import nothing remains to be done."""
    return {
        "trials": len(spec),
        "stored": len(stored),
        "remaining": 0 if imported else len(spec) - len(stored),
        "outcomes": dict(Counter(run.outcome.value for run in stored)),
        "by_optimizer": {name: dict(each) for name, each in _by_optimizer(spec, stored).items()},
        "busy": sum(run.quiet is False for run in stored),
        "imported": imported,
    }
