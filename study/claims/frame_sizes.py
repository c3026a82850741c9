"""What the judges of claims on model size share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study import tables
from study.claims.evidence import Known, studies_in
from study.storage.records import Outcome
from study.tables.intervals import Floats

SIZE_RANGE, FEWEST_WIDTHS = 4.0, 5
"""A claim about sizes needs `FEWEST_WIDTHS` widths, the largest `SIZE_RANGE` times the smallest.

The published study has 36, and 9.75 times.
"""


@dataclass(frozen=True)
class Sizes:
    """The trials of one optimizer in a study of sizes.

    Args:
        name: the study's name.
        optimizer: the optimizer.
        widths: along the first axis of the arrays.
        rates: along the second axis.
        seconds: (widths, rates, seeds), to the target; infinite if a trial did not arrive, NaN if
            it is not known whether it would.
        runs: the trials as a table.
        capped: (widths, rates, seeds), which trials ran out of time.
    """

    name: str
    optimizer: str
    widths: Floats
    rates: Floats
    seconds: Floats
    runs: pd.DataFrame
    capped: NDArray[np.bool_]

    @property
    def missing(self) -> int:
        """The number of trials of which nothing is known."""
        return int(np.isnan(self.seconds).sum())


def sizes_of(studies: Known) -> Sizes | None:
    """Adam's part of the study of the most widths, or its first optimizer's; None if none is wide.

    The spec decides, not the stored trials.
    """
    found = []
    for study in studies_in(studies):
        least, most = min(study.spec.widths), max(study.spec.widths)
        if len(study.spec.widths) >= FEWEST_WIDTHS and most >= SIZE_RANGE * least:
            found.append(study)
    if not found:
        return None
    study = max(
        found,
        key=lambda study: (
            len(study.spec.widths),
            study.spec.seeds,
            len(study.spec.rates),
            study.spec.name,
        ),
    )
    spec, widths, rates = (
        study.spec,
        np.array(sorted(study.spec.widths), float),
        np.array(sorted(study.spec.rates), float),
    )
    optimizer = "adam" if "adam" in spec.optimizers else spec.optimizers[0]
    shape = (len(widths), len(rates), spec.seeds)
    runs = study.runs[study.runs["optimizer"] == optimizer] if len(study.runs) else study.runs
    if runs.empty:
        return Sizes(
            spec.name,
            optimizer,
            widths,
            rates,
            np.full(shape, math.nan),
            runs,
            np.zeros(shape, bool),
        )
    axes = (list(widths), [optimizer], list(rates), spec.seeds)
    seconds = tables.cube(runs, *axes)[:, 0]
    capped = tables.on_axes(
        runs, (runs["outcome"] == Outcome.CAPPED).to_numpy(), *axes, missing=False
    )[:, 0]
    return Sizes(spec.name, optimizer, widths, rates, seconds, runs, capped)


NO_SIZES = (
    f"no study has {FEWEST_WIDTHS} widths, the largest {SIZE_RANGE:g} times the "
    "smallest: such as `run sizes`"
)
