"""Values of runs laid out as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.storage.records import Outcome
from study.tables.intervals import Floats


def cube(
    runs: pd.DataFrame,
    widths: Sequence[float],
    optimizers: Sequence[str],
    rates: Sequence[float],
    seeds: int,
) -> Floats:
    """Seconds to the target, laid out as an array.

    Args:
        runs: the runs.
        widths: the values along the first axis.
        optimizers: the values along the second axis.
        rates: the values along the third axis.
        seeds: the number of seeds, along the last axis.

    Returns:
        (widths, optimizers, rates, seeds): infinite if a trial did not reach the target; NaN if
        this is not known, because the trial is missing, failed with an error, or was pruned.
    """
    known = ~runs["outcome"].isin([Outcome.FAILED, Outcome.PRUNED])
    times = (
        runs["seconds"].where(runs["outcome"] == Outcome.REACHED, math.inf).where(known, math.nan)
    )
    return on_axes(runs, times.to_numpy(float), widths, optimizers, rates, seeds, missing=math.nan)


def on_axes(
    runs: pd.DataFrame,
    values: NDArray[Any],
    widths: Sequence[float],
    optimizers: Sequence[str],
    rates: Sequence[float],
    seeds: int,
    missing: Any,
) -> NDArray[Any]:
    """One value a run, laid out as an array.

    Args:
        runs: the runs.
        values: (runs,), the values.
        widths: the values along the first axis.
        optimizers: the values along the second axis.
        rates: the values along the third axis.
        seeds: the number of seeds, along the last axis.
        missing: the value if there is no run.

    Returns:
        (widths, optimizers, rates, seeds).
    """
    found = np.full((len(widths), len(optimizers), len(rates), seeds), missing, dtype=values.dtype)
    axes: dict[str, list[Any]] = {
        "width": list(widths),
        "optimizer": list(optimizers),
        "learning_rate": list(rates),
        "seed": list(range(seeds)),
    }
    places = np.array(
        [pd.Index(values).get_indexer(runs[name].to_numpy()) for name, values in axes.items()]
    )
    inside = (places >= 0).all(axis=0)
    found[tuple(places[:, inside])] = values[inside]
    return found
