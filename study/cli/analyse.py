"""Commands on stored studies: their tables, figures and report, and what they say."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from study.cli.formatting import (
    LOG,
    as_json,
    best,
    best_final,
    cell,
    duration,
    frame,
    note,
    note_aside,
    ratio,
    table,
    written,
)
from study.cli.option_sets import TrainerOptions
from study.cli.options import AimOptions, AsJson, Folder, Folders, Of, SeedOf
from study.cli.parameters import Family, among, brief, whole
from study.errors import StudyError
from study.spec.goals import has_target

commands = Family("Analyse")


@commands.command(
    "study tables results/mine",
    "study tables results/mine --by multiply_adds",
    "study tables results/theirs --metric val_accuracy --target 0.9",
)
@brief
def tables(
    folder: Folder,
    aim: AimOptions,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder to write to. Not given: DIR/tables."),
    ] = None,
    by: Annotated[
        str,
        among(
            ("weights", "multiply_adds", "width"),
            help="The measure of a model's size: weights, multiply_adds or width.",
        ),
    ] = "weights",
    machine: Of = None,
) -> None:
    """Write the tables of a study again from its stored runs, and print the best rates."""
    from study import tables
    from study.tables import intervals

    stored = tables.stored(folder, machine, aim.aim())
    paths, runs = tables.write(stored, out, by), stored.runs
    LOG.info("read %s: %d trials", folder, len(runs))
    if "final" in runs and (not has_target(stored.spec.target) or tables.timeless(runs)):
        best_final(tables.best_final(runs), stored.spec.metric)
    else:
        best(stored.best, runs["unit"].iloc[0] if "unit" in runs else "step")
    if runs["width"].nunique() >= intervals.FEWEST_SIZES:
        from study.tables import fits

        typer.echo(f"\nTime against n, {by.replace('_', '-')}: c + k n")
        for said in fits.sentences(tables.comparable(runs), by):
            typer.echo(f"  {said}")
    note(tables.warnings(stored))
    written(paths)


@commands.command("study figures results/mine", "study figures results/mine --out drawn")
@brief
def figures(
    folder: Folder,
    aim: AimOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The folder to write to. Not given: DIR/figures."
        ),
    ] = None,
    machine: Of = None,
) -> None:
    """Draw the figures of a study again from its stored runs."""
    from study import figures, tables

    stored = tables.stored(folder, machine, aim.aim())
    paths = figures.write(stored, out)
    if stored.published is not None:
        note(tables.of_an_import(stored.runs, stored.spec, stored.published))
    written(paths)


@commands.command("study report results/mine", "study report results/* --out all.html")
def report(
    folders: Folders,
    aim: AimOptions,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.html", help="The file to write.")
    ] = Path("report.html"),
    machine: Of = None,
) -> None:
    """Write one HTML page on stored studies: figures, best rates, claims, machine and warnings."""
    from study import report

    written([report.write(folders, out, machine, aim.aim())])


@commands.command("study claims results/mine", "study claims results/grid results/sizes --json")
@brief
def claims(folders: Folders, aim: AimOptions, machine: Of = None, in_json: AsJson = False) -> None:
    """Check the claims of the published study against stored studies."""
    from study import claims

    known = [claims.evidence(folder, machine, aim.aim()) for folder in folders]
    found, said = claims.verdicts(known), claims.about(known)
    if in_json:
        as_json(found)
        note_aside(said)
        return
    note(said)
    rows = []
    for verdict in found:
        ends = "" if math.isnan(verdict.low) else f"{verdict.low:.3g} to {verdict.high:.3g}"
        value = "" if math.isnan(verdict.statistic) else f"{verdict.statistic:.3g}"
        told = [verdict.id, verdict.verdict, value, ends, f"{verdict.threshold:.3g}"]
        rows.append([*told, claims.CLAIMS[verdict.id].published])
    table(["claim", "verdict", "statistic", "interval", "against", "published"], rows)
    typer.echo()
    for verdict in found:
        typer.echo(
            f"{verdict.id}: {claims.CLAIMS[verdict.id].text}?\n    {verdict.verdict}: "
            f"{verdict.reason}"
        )
    counts = Counter(verdict.verdict for verdict in found)
    names = ("holds", "fails", "undecided")
    typer.echo(f"\n{', '.join(f'{counts[name]} {name}' for name in names)}")


@commands.command(
    "study compare results/mine results/theirs",
    "study compare results/mine results/theirs --anyway --out results/comparison",
)
@brief
def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR", help="The folders of two or more studies."),
    ],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare studies of different protocols, too.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for tables and figures.")
    ] = Path("results/comparison"),
    in_json: AsJson = False,
) -> None:
    """Compare studies: their best rates, and the ratios of their seconds, steps and step times."""
    from study.tables import compare, write_csv

    studies, said = compare.sides(folders, anyway)
    cells = compare.ratios(studies)
    summary = compare.summary(cells, [side.name for side in studies[1:]])
    notes = compare.notes(studies)
    if in_json:
        ratios = json.loads(summary.to_json(orient="records"))
        as_json({"differences": said, "notes": notes, "ratios": ratios})
        return
    typer.echo(f"Comparing {', '.join(side.name for side in studies)}.")
    for line in said:
        typer.echo(f"  they differ in {line}")
    note(notes)
    typer.echo("\nBest rates:\n")
    header = ["best_rate", "seconds", "steps", "arrived", "rates"]
    rows = []
    found: dict[Any, Any] = compare.best(studies).to_dict("index")
    for (width, optimizer), each in found.items():
        for side in studies:
            values = [cell(float(each[side.name, name]), 4) for name in header]
            rows.append([cell(width), optimizer, side.name, *values])
    table(["width", "optimizer", "study", *header], rows)
    for row in summary.itertuples():
        typer.echo(ratio(row, studies[0].name))
    out.mkdir(parents=True, exist_ok=True)
    _implied(studies, out)
    write_csv(out / "cells.csv", cells)
    write_csv(out / "summary.csv", summary)
    _together(studies, said if anyway else None, out)


def _implied(studies: Any, out: Path) -> None:
    """Tell the step times that the first study's seconds imply, where it does not tell its own."""
    from study.tables import write_csv
    from study.tables.clocks import implied

    if not (found := implied(studies)).empty:
        typer.echo(f"\nStep times that follow from the seconds of {studies[0].name}:\n")
        frame(found)
        write_csv(out / "implied.csv", found)


def _together(studies: Any, said: list[str] | None, out: Path) -> None:
    """Draw the valleys of the studies over each other, at the least width that all have.

    With sentences on what differs, a page has the figures of all of them beside each other.
    """
    from study import figures

    common = set.intersection(*(set(side.runs["width"]) for side in studies))
    if not common:
        typer.echo("\nno width is common to them, so no valleys are drawn over each other")
    least = min(common, default=0)
    drawn = figures.overlays({one.name: one.runs[one.runs["width"] == least] for one in studies})
    paths = figures.save(drawn, out)
    if said is not None:
        from study.report import pairs

        paths.append(pairs.write(studies, said, drawn, out / "pairs.html"))
    written(paths)


@commands.command("study predict results/theirs", "study predict results/theirs --check 6")
def predict(
    folder: Folder,
    trainer: TrainerOptions,
    check: Annotated[
        int, whole(0, 100_000, help="Train N of the trials here, and print the error.")
    ] = 0,
    seed: SeedOf = 0,
    in_json: AsJson = False,
) -> None:
    """Predict the seconds of stored trials on this machine, from its own step times."""
    from study.execution import predict
    from study.training import verification

    values, checks = predict.predict(folder, check, seed, factory=trainer.setup(), warn=note_aside)
    facts = verification.summary(checks) if checks else {}
    if in_json:
        as_json({"trials": json.loads(values.to_json(orient="records")), **facts, "checks": checks})
        return
    frame(values.drop(columns="id").rename(columns={"seconds": "seconds_there"}), digits=4)
    _sum_up(values)
    for one in checks:
        run = one.run
        typer.echo(
            f"{run.trial.optimizer:10} {run.trial.learning_rate:9.3g}  {run.outcome} after "
            f"{run.seconds:.4g} s predicted, {one.outcome} after {one.seconds:.4g} s measured; "
            f"{1e3 * (run.step_seconds or 0):.3f} ms a step predicted, "
            f"{1e3 * one.seconds / one.steps:.3f} measured"
        )
    if checks:
        typer.echo(
            f"\n{facts['trials']} trained here: error of the step time median "
            f"{facts['median_step_time_error']:.1%}, worst {facts['worst_step_time_error']:.1%}; "
            f"outcome as predicted {facts['outcome_agreement']:.0%}, "
            f"same steps {facts['same_steps']:.0%}"
        )


def _sum_up(values: Any) -> None:
    """Print the sums of a prediction."""
    here, there = values["seconds_here"].sum(), values["seconds"].sum()
    typer.echo(
        f"\n{len(values)} trials, one after another: {duration(here)} here, {duration(there)} "
        f"there ({here / there:.2f} times)"
    )


@commands.command("study hindsight results/mine", "study hindsight results/mine --json")
@brief
def hindsight(folder: Folder, in_json: AsJson = False) -> None:
    """Print the steps that --prune hopeless would have saved, and the arrivals it would lose."""
    from study import tables

    stored = tables.stored(folder)
    found = tables.hindsight(stored.some_runs, stored.checks)
    if found.empty:
        raise StudyError(
            f"{folder} stores no accuracies of trials that reached the target or were capped: "
            "nothing to look back on"
        )
    total = found.drop(columns="optimizer").sum()
    if in_json:
        as_json({name: int(value) for name, value in total.items()})
        return
    frame(found)
    share = total["saved"] / max(1, total["steps"])
    typer.echo(
        f"\n{total['pruned']} of {total['trials']} trials given up early, {share:.0%} of the "
        f"steps saved, {total['lost']} arrivals lost"
    )
