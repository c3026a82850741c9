"""Commands that bring in the results of other folders and of others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.formatting import LOG, as_json, note
from study.cli.options import AimOptions, AsJson, Folders, MakeIn
from study.cli.parameters import Family, among, real
from study.spec.goals import aim as in_words
from study.words import counted

if TYPE_CHECKING:
    from study.storage.imports.importing import Imported as Results
    from study.storage.merging import Merged
    from study.storage.published.importing import Imported

commands = Family("Share")


@commands.command(
    "study merge results/mine.* --out results/mine",
    "study merge results/here results/there --out results/here --json",
)
def merge(folders: Folders, out: MakeIn, in_json: AsJson = False) -> None:
    """Join folders of one protocol into one study, such as those of its shards.

    Of a trial in several folders the first one's row counts, unless it failed. The same command
    again adds what is new.
    """
    from study.storage import merging
    from study.storage.store import Store

    done = merging.merge([Store(folder) for folder in folders], Store(out))
    LOG.info("read %s", ", ".join(map(str, folders)))
    if in_json:
        as_json(
            {
                "folder": str(out),
                "trials": len(done.spec),
                "added": done.added,
                "duplicates": done.duplicates,
                "agreeing": done.agreeing,
                "replaced": done.replaced,
                "missing": len(done.missing),
            }
        )
        return
    for line in _merged(done, len(folders), out):
        typer.echo(line)


def _merged(done: Merged, folders: int, out: Path) -> list[str]:
    """What was done, and what the study still lacks, in words."""
    said = [f"Merged {counted(folders, 'folder')} into {out}: {counted(done.added, 'trial')} added"]
    if done.duplicates:
        differing = done.duplicates - done.agreeing
        replaced = f"; {done.replaced} in place of a failed one" if done.replaced else ""
        said.append(
            f"Duplicates: {done.duplicates}, of which {done.agreeing} with the same outcome and "
            f"steps, {differing} with others{replaced}"
        )
    total, missing = len(done.spec), len(done.missing)
    lacking = Counter(trial.optimizer for trial in done.missing)
    which = ": " + ", ".join(f"{name} {count}" for name, count in lacking.items())
    said.append(
        f"Study {done.spec.name}: {total - missing} of {counted(total, 'trial')} stored, {missing} "
        f"missing{which if missing else ''}"
    )
    return said


@commands.command(
    "study import-published published --out results/published",
    "study import-published time_vs_size.csv --absent unknown --out results/published",
    name="import-published",
)
def import_published(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|DIR",
            help="The published project's CSV and .xlsx files, or folders of them.",
        ),
    ],
    out: MakeIn,
    target: Annotated[
        float | None,
        real(
            0,
            1,
            metavar="A",
            help="The accuracy that counts as success. Not given: 0.97, and 0.96 for sizes.",
        ),
    ] = None,
    absent: Annotated[
        str,
        among(
            ("capped", "unknown"),
            help="What a size without a row counts as: capped (its file leaves out what failed) "
            "or unknown.",
        ),
    ] = "capped",
) -> None:
    """Make studies out of the result files of the published project.

    The commands tables, figures, report, claims and compare then work on them. Files without a
    known table are left out.
    """
    from study.storage.published.importing import import_published as imported

    done = imported(files, out, target, absent)
    for folder, study in done.studies.items():
        for line in _imported(folder, study, absent):
            typer.echo(line)
    if done.others:
        typer.echo(f"Left out: {', '.join(map(str, done.others))}")
    if done.training_rows:
        typer.echo(
            f"Left out: {done.training_rows} rows of training accuracy, which no table or figure "
            "uses"
        )


def _imported(folder: Path, study: Imported, absent: str) -> list[str]:
    """What an imported study holds, what of it was assumed, and how it was measured, in words."""
    spec, runs = study.spec, study.runs
    parts = []
    if runs:
        parts.append(
            f"{counted(len(runs), 'trial')} ({counted(len(spec.optimizers), 'optimizer')}, "
            f"{counted(len(spec.rates), 'rate')}, {counted(len(spec.widths), 'width')}; target "
            f"{100 * spec.target:g} %)"
        )
    if study.curves:
        parts.append(counted(len(study.curves), "validation curve"))
    said = [f"{folder}: {', '.join(parts)}"]
    missing = len({trial.id for trial in spec.trials()} - {run.id for run in runs})
    if study.protocol.assumed:
        said.append(
            f"  {study.protocol.assumed} of these trials are assumed: they have no row, and count "
            f"as capped at {spec.cap:g} s (--absent {absent})"
        )
    elif missing and runs:
        option = f" (--absent {absent})" if len(spec.widths) > 1 else ""
        said.append(f"  without a row, and left missing: {missing} of {len(spec)} trials{option}")
    said += [f"  {line}" for line in study.protocol.lines()]
    if study.protocol.look_basis:
        said.append(f"  looks: {study.protocol.look_basis}")
    return said


@commands.command(
    "study import runs.csv --out results/theirs --metric val_accuracy --target 0.9",
    "study import sweep.jsonl --columns rate=eta,optimizer=opt+momentum --out results/theirs",
    "study import histories --names '{optimizer}_{rate}_history.json' --out results/theirs",
    name="import",
)
def import_results(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Files of rows (CSV, JSON lines, JSON, Parquet), folders of files, or the stores "
            "of tools.",
        ),
    ],
    out: MakeIn,
    aim: AimOptions,
    columns: Annotated[
        str,
        typer.Option(
            metavar="NAME=COLUMN,...",
            help="Which column is the rate, optimizer, width, seed, trial, step, seconds or state, "
            "where the usual names do not tell; none for one not to be used.",
        ),
    ] = "",
    names: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Names of files that carry settings, such as '{optimizer}_{rate}.json'.",
        ),
    ] = None,
    percent: Annotated[
        bool, typer.Option("--percent", help="Accuracies are told in percent.")
    ] = False,
) -> None:
    """Make a study out of results that were made elsewhere, by whatever program.

    The commands tables, figures, report and status then work on it. What the source does not say is
    unknown, and any metric and target may be asked for later.
    """
    from study.storage.imports.columns import parse_columns
    from study.storage.imports.importing import import_results as imported

    done = imported(paths, out, parse_columns(columns), names, aim.aim(), percent)
    for line in _results(out, done):
        typer.echo(line)
    note([*done.notes, *_left_out(done.others)])


def _results(folder: Path, done: Results) -> list[str]:
    """What an import holds, and what it was read from, in words."""
    spec, runs = done.spec, done.runs
    ends = Counter(run.outcome.value for run in runs)
    listed = ", ".join(f"{count} {name}" for name, count in sorted(ends.items()))
    return [
        f"{folder}: {counted(len(runs), 'trial')} ({counted(len(spec.optimizers), 'optimizer')}, "
        f"{counted(len(spec.rates), 'rate')}): {listed}",
        *(f"  {line}" for line in done.columns),
        *(f"  {line}" for line in done.protocol.lines()),
        f"  read by the metric {spec.metric}: "
        f"{in_words(spec.metric, spec.target, spec.goal, own=True)}",
    ]


def _left_out(others: tuple[str, ...]) -> list[str]:
    if not others:
        return []
    more = f", and {len(others) - 1} more" if len(others) > 1 else ""
    return [f"left out: {others[0]}{more}"]
