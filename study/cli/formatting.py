"""What is printed: numbers and tables as text, notes beside them, and files that were written."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from study.spec.goals import aim
from study.spec.own import OWN, names_itself, trained_in_words
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.records import Run
from study.words import budget, counted

LOG = logging.getLogger("study")
"""Its level is what the user wants to hear: errors alone, notes too, or every decision."""


def listen(level: int) -> None:
    """Set the level; what is logged goes to standard error, as it is now."""
    LOG.handlers = [logging.StreamHandler(sys.stderr)]
    LOG.setLevel(level)


def note(sentences: Iterable[str]) -> None:
    """Print notes where people read the answer."""
    _note(sentences, aside=False)


def note_aside(sentences: Iterable[str]) -> None:
    """Print notes on standard error: standard output is for programs."""
    _note(sentences, aside=True)


def _note(sentences: Iterable[str], aside: bool) -> None:
    if LOG.isEnabledFor(logging.WARNING):
        for sentence in sentences:
            typer.echo(f"note: {sentence}", err=aside)


def written(paths: Iterable[Any], indent: str = "", aside: bool = False) -> None:
    """Name the files that were written, one a line."""
    for path in paths:
        typer.echo(f"{indent}{path}", err=aside)


def as_json(answer: Any) -> None:
    """Print an answer for programs; its objects have `to_json`."""
    typer.echo(json.dumps(answer, default=lambda one: one.to_json()))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: with a line under its header on a terminal, plain where it is piped.

    Columns of numbers are aligned on the right. An unnamed column holds remarks.
    """
    cells = [list(row) for row in rows]
    right = [
        all(re.match(r"[-+.\d]|inf|$", row[i]) for row in cells) and bool(name)
        for i, name in enumerate(header)
    ]
    if sys.stdout.isatty():
        _rich_table(header, cells, right)
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in [header, *cells]:
        parts = [
            cell.rjust(width) if side else cell.ljust(width)
            for cell, width, side in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(parts).rstrip())


def _rich_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for name, side in zip(header, right, strict=True):
        drawn.add_column(name, justify="right" if side else "left", no_wrap=side, overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    Console().print(drawn)


def frame(values: Any, digits: int = 3) -> None:
    """Print a DataFrame without its index, floats with that many digits."""
    table(
        [str(name) for name in values.columns],
        [[cell(value, digits) for value in row] for row in values.itertuples(index=False)],
    )


def cell(value: Any, digits: int = 3) -> str:
    """A value of a table; `-` where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def outcomes(values: Iterable[str]) -> str:
    """Counts of outcomes: `3 capped, 6 reached`."""
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(values).items()))


def best(found: Any, unit: str = "step") -> None:
    """Print the table of best rates; `unit` is what a step is called, see `foreign_columns`."""
    several = len(set(found["width"])) > 1
    draw = ", one draw" if set(found["seeds"]) == {1} else ""
    timed = "seconds" in found  # of some imports steps alone are known
    counted_in = [f"seconds{draw}", f"{unit}s"] if timed else [f"{unit}s{draw}"]
    header = ["optimizer", "arrived", "lowest", "highest", "best rate", *counted_in]
    rows = []
    for row in found.itertuples():
        numbers = ["-"] * (3 + len(counted_in))
        if row.arrived:
            rates = (f"{rate:.3g}" for rate in (row.lowest, row.highest, row.best_rate))
            steps = "-" if math.isnan(row.steps) else f"{row.steps:.0f}"
            numbers = [*rates, *([f"{row.seconds:.2f}"] if timed else []), steps]
        remarks = []
        if row.arrived and row.at_edge:
            remarks.append("at the grid's edge: a better rate may lie beyond")
        if row.unstable:
            remarks.append("unstable: trained again in another array, it died")
        if row.tied > 1:
            remarks.append(
                f"{row.tied} rates tie within a look, {row.tied_low:.3g} to {row.tied_high:.3g}"
            )
        rows.append(
            [
                row.optimizer,
                f"{row.arrived} of {row.rates}",
                *numbers,
                *([f"{row.width:g}"] if several else []),
                "; ".join(remarks),
            ]
        )
    table([*header, *(["width"] if several else []), ""], rows)


def best_final(found: Any, metric: str) -> None:
    """Print at which rates training ends best."""
    rows = [
        [
            *(row.optimizer, f"{row.told} of {row.rates}", cell(row.best_rate), cell(row.final, 4)),
            "at the grid's edge: a better rate may lie beyond" if row.at_edge else "",
        ]
        for row in found.itertuples()
    ]
    table(["optimizer", "ended", "best rate", f"final {metric}", ""], rows)


def contest_status(folder: Path, in_json: bool) -> None:
    """Print how far a contest is, and which of its rows match no pick."""
    from study.tables.contests import standing

    found = standing(folder)
    if in_json:
        told = {"picks": found.picks, "trials": found.wanted, "stored": found.stored}
        as_json({**told, "strays": [run.id for run in found.strays]})
        return
    typer.echo(
        f"Contest in {folder}: {found.picks} picks, {found.stored} of {found.wanted} trials stored"
    )
    if found.strays:
        ends = ", ".join(sorted({run.outcome.value for run in found.strays}))
        typer.echo(
            f"{len(found.strays)} more stored trials ({ends}) match no pick: a rule that was "
            "changed after they had trained picked them"
        )


def times(ratio: float) -> str:
    """A ratio in words."""
    return f"{ratio:.1f} times"


def duration(seconds: float) -> str:
    """Seconds in words: `82 s`, `1.4 min`, `2.0 h`."""
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.1f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def what(trial: Trial) -> str:
    """What a search trained, in words."""
    if trial.start:
        return f"{trial.optimizer}, your own model, width {trial.width:g}, batch {trial.batch}"
    return (
        f"{trial.optimizer}, {trial.network} network, width {trial.width:g}, "
        f"{Path(trial.dataset).name}, batch {trial.batch}"
    )


def described(spec: StudySpec) -> Iterator[str]:
    """The protocol, line by line."""
    product = {
        "optimizer": len(spec.optimizers),
        "rate": len(spec.rates),
        "width": len(spec.widths),
        "seed": spec.seeds,
    }
    yield f"Trials: {len(spec)} = {' x '.join(counted(n, name) for name, n in product.items())}"
    yield f"  optimizers: {', '.join(spec.optimizers)}"
    yield f"  rates: {', '.join(f'{rate:g}' for rate in spec.rates)}"
    widths, own = ", ".join(f"{width:g}" for width in spec.widths), names_itself(spec.network)
    if spec.command:
        yield f"  command: {spec.command}"
    yield f"  {trained_in_words(spec.to_json(), f'width {widths}')}"
    epochs = f"{spec.max_epochs:g} epochs" if spec.max_epochs and not spec.max_steps else ""
    most = " and ".join(filter(None, (budget(spec.cap, spec.max_steps), epochs)))
    yield (
        f"  each to {aim(spec.metric, spec.target, spec.goal, own=own)}, given up after {most}, "
        f"mode {spec.mode}"
    )
    if spec.hyper not in ("published", OWN):
        yield f"  hyper-parameters {spec.hyper}"
    if spec.schedule != "constant":
        yield f"  schedule {spec.schedule}"


def cost(costs: dict[str, Any]) -> str:
    """What the trials would have cost one by one, in words."""
    names = ("one_by_one_seconds", "one_by_one_stopping_seconds", "spent_seconds")
    whole, stopping, spent = (costs[name] for name in names)
    told = (
        f"The study took {duration(spent)}. One by one, each to its arrival or its whole budget, "
        f"these trials take {duration(whole)}, {times(whole / spent)} as long."
    )
    early = (
        f"\nIf diverged and stuck ones end early, one by one they take {duration(stopping)}, "
        f"{times(stopping / spent)} as long."
    )
    return told + early if stopping < whole else told


def ratio(row: Any, first: str) -> str:
    """How the cells of a study compare with those of the first, in words."""
    told = (
        f"\n{row.study} over {first}: of {row.cells} cells in common {row.both} arrived in both, "
        f"{row.first} in the first alone, {row.second} in the second alone, {row.neither} in "
        "neither"
    )
    if not row.both:
        return told
    spread = f" (quartiles {row.low:.3g} to {row.high:.3g})" if row.both >= 5 else ""
    if math.isnan(row.ratio):
        unknown = ", but those of an import are steps of its own, on a machine that is not told"
        return f"{told}\n  steps {row.steps:.3g} times{unknown}"
    parts = (
        "; the steps are not known"
        if math.isnan(row.steps)
        else f": step time {row.step_seconds:.3g} times, steps {row.steps:.3g} times"
    )
    return f"{told}\n  seconds {row.ratio:.3g} times{spread}, n = {row.both}{parts}"


def trained(folder: Path, runs: Sequence[Run]) -> None:
    """Print which engine trained the arrays of a study, and how its step times changed while it
    trained, where they were read again.
    """
    from study.storage.step_times import drift, read
    from study.tables import stored
    from study.tables.best_rates import CONFIRM

    by = Counter(run.arrays or run.engine for run in runs if run.seconds_source == "reconstructed")
    if by:
        named = ", ".join(f"{name} ({count} trials)" for name, count in by.most_common())
        typer.echo(f"\nArrays were trained by {named}.")
    since = min((run.started_at for run in runs), default=None)
    if since and (told := drift(read(folder / "calibration.json"), since)):
        typer.echo(f"\n{told}")
    fresh = stored(folder).fresh
    if fresh and not isinstance(fresh, str):  # a note tells what could not be read
        place = folder / CONFIRM
        typer.echo(f"\n{len(fresh)} more trials, of its best rates on fresh seeds: {place}")


def of_drift(facts: Mapping[str, float]) -> str:
    """What the two errors of `verify` say together, as the end of a sentence."""
    less = facts["median_error_beside"] < facts["median_step_time_error"]
    told = "what is more has changed since the study read its own" if less else "no less"
    return f" in the median: {told}"
