"""Commands that bring in the results of other folders and of others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.formatting import LOG, as_json
from study.cli.options import AsJson, Folders, MakeIn
from study.cli.parameters import Family, real
from study.words import counted

if TYPE_CHECKING:
    from study.storage.merging import Merged

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
    "study import-published *.csv *.xlsx --out results/published", name="import-published"
)
def import_published(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="The published project's CSV and .xlsx files."),
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
) -> None:
    """Make a study out of the result files of the published project.

    The commands tables, figures, claims and compare then work on it.
    """
    from study.storage.published.importing import import_published as imported

    for folder, (spec, count) in imported(files, out, target).items():
        typer.echo(
            f"{folder}: {count} trials ({len(spec.optimizers)} optimizers, {len(spec.rates)} "
            f"rates, {len(spec.widths)} widths; target {100 * spec.target:g} %)"
        )
