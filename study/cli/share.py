"""Commands that bring in the results of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import MakeIn
from study.cli.parameters import Family, real

commands = Family("Share")


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
