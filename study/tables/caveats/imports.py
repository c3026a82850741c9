"""What is to be known of a study that was imported from published files."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from study.spec.goals import has_target
from study.spec.own import is_foreign
from study.spec.study import StudySpec
from study.storage.published.protocol import Protocol
from study.storage.records import Outcome
from study.tables.foreign import timed, timeless
from study.words import counted

ASSUMED = "assumed"
"""The source of the seconds of a trial that has no published row."""


def of_an_import(
    runs: pd.DataFrame, spec: StudySpec | None = None, protocol: Protocol | None = None
) -> Iterator[str]:
    """Sentences on an imported study: how it was measured, and what its rows are.

    Args:
        runs: its runs; none if it holds validation curves alone.
        spec: what it was asked for, to find what is missing.
        protocol: what is known of how it was measured.
    """
    if protocol is not None and str(protocol):
        yield f"these are {protocol.what}; {protocol}"
    else:
        yield "these are published measurements, of which this study tells no more"
    if runs.empty:
        return
    assumed = int((runs["seconds_source"] == ASSUMED).sum())
    if assumed:
        yield (
            f"{assumed} of {len(runs)} trials are assumed: they have no published row, and each "
            f"is taken as capped at {runs['cap_seconds'].max():g} s"
        )
    foreign = is_foreign(runs["network"].iloc[0])
    if foreign:
        yield from _of_results(runs)
    if spec is not None and not foreign:
        missing = len(spec) - int(runs["id"].isin([trial.id for trial in spec.trials()]).sum())
        if missing:
            have = "has" if missing == 1 else "have"
            yield f"{missing} of {len(spec)} trials {have} no published row, for whatever reason"
    counts = runs.groupby(["width", "optimizer", "learning_rate"], observed=True)["seed"].nunique()
    usual = int(counts.mode().iloc[0])
    more = int((counts > usual).sum())
    if more:
        yield (
            f"{more} of {len(counts)} cells were measured more often than the others, "
            f"which have {counted(usual, 'measurement')} each"
        )
    if usual == 1:
        yield "1 measurement a cell: no interval can be given, and a best rate may be luck"


def _of_results(runs: pd.DataFrame) -> Iterator[str]:
    """Sentences on what results from elsewhere are counted in, and where they are censored."""
    unit = str(runs["unit"].iloc[0]) if "unit" in runs else "step"
    if timeless(runs):
        yield (
            "nobody tells when some trials arrived, neither in seconds nor in steps: the metric at "
            "the end of training is all that can be compared"
        )
    elif "counted" in (known := timed(runs)):
        yield f"seconds are {known['counted'].iloc[0]}: times are counted in {unit}s"
    elif runs["seconds"].notna().any():
        yield "the machine is not told: the seconds compare these trials, and with no others"
    capped = int((runs["outcome"] == Outcome.CAPPED).sum())
    if capped and has_target(float(runs["target"].iloc[0])):
        yield (
            f"{counted(capped, 'trial')} ended without the target: each is censored at its own end"
        )
