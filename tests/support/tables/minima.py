"""Valleys that are known, and how often an interval of their best covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.tables import intervals
from study.tables.best_rates import Scatter
from study.tables.best_rates.noise import NEAR, pooled
from study.tables.intervals import Floats

RATES: Floats = 10.0 ** np.round(np.arange(-4, 0.01, 1 / 6), 6)


VALLEYS: dict[str, Floats] = {
    "flat": np.ones(len(RATES)),
    "parabola": np.exp((np.log10(RATES) + 2.02) ** 2),
    "sharp": np.where(np.arange(len(RATES)) == 14, 1.0, 2.2),
    "wall": np.where(np.arange(len(RATES)) <= 18, np.exp(-0.17 * np.arange(len(RATES))), np.inf),
}
"""True median times at each rate."""


SCATTERS: dict[str, Floats] = {
    "equal": np.full(len(RATES), 0.2),
    "growing": np.linspace(0.03, 0.3, len(RATES)),
}
"""Standard deviations of the log times at each rate."""


Ends = dict[str, float]


@dataclass(frozen=True)
class Coverage:
    """The share of simulations in which each interval held the truth."""

    best: float
    seconds: float
    decades: float


def drawn(
    valley: Floats, spread: Floats, seeds: int, random: np.random.Generator
) -> tuple[Floats, Scatter]:
    """Times of each rate and seed, and the scatter that they show."""
    seconds = valley[:, None] * np.exp(spread[:, None] * random.normal(size=(len(valley), seeds)))
    near = np.median(seconds, axis=1) <= NEAR * np.median(seconds, axis=1).min()
    return seconds, pooled(np.log(seconds[near]))


def coverage(
    find: Callable[[Floats, Floats, Scatter], Ends],
    valley: Floats,
    spread: Floats,
    seeds: int,
    count: int,
) -> Coverage:
    """How often the intervals that `find` gives hold the truth; the same for the same arguments."""
    random = np.random.default_rng([seeds, count])
    best = RATES[np.isclose(valley, valley.min())]
    decades = float(intervals.valley_decades(RATES, valley))
    held = np.zeros(3)
    for _ in range(count):
        ends = find(RATES, *drawn(valley, spread, seeds, random))
        held += (
            bool(((ends["best_low"] <= best) & (best <= ends["best_high"])).any()),
            ends["seconds_low"] <= valley.min() <= ends["seconds_high"],
            ends["decades_low"] - 1e-9 <= decades <= ends["decades_high"] + 1e-9,
        )
    return Coverage(*(held / count))


RESAMPLES = 1000


def draws(seeds: int, count: int = RESAMPLES) -> NDArray[np.int64]:
    """Resamples with replacement; the same for the same arguments.

    Args:
        seeds: how many values there are.
        count: how many resamples.

    Returns:
        Indices, (count, seeds).
    """
    return np.random.default_rng([seeds, count]).integers(seeds, size=(count, seeds))


def percentile_interval(values: Floats) -> tuple[Any, Any]:
    """The percentile interval at 95 % over the last axis of resampled values.

    Both ends are among the values, because some are infinite. Efron and Tibshirani 1993, section
    13.3.
    """
    tail = (1 - intervals.CONFIDENCE) / 2
    return (
        np.quantile(values, tail, axis=-1, method="inverted_cdf"),
        np.quantile(values, 1 - tail, axis=-1, method="inverted_cdf"),
    )


def medians(values: Floats, chosen: NDArray[np.int64]) -> Floats:
    """Medians over resampled seeds.

    Args:
        values: (..., seeds).
        chosen: (resamples, seeds), indices of seeds.

    Returns:
        (..., resamples).
    """
    with np.errstate(invalid="ignore"):
        found: Any = np.median(values[..., chosen], axis=-1)
    return np.asarray(found, np.float64)


def bootstrap(rates: Floats, seconds: Floats, noise: Scatter) -> Ends:
    """The intervals that resampled seeds give, as a comparison: they cover too little."""
    del noise
    drawn = medians(seconds, draws(seconds.shape[1]))
    least = drawn.min(axis=0)
    found = {
        "best": rates[drawn.argmin(axis=0)],
        "seconds": least,
        "decades": intervals.valley_decades(rates, drawn),
    }
    return {
        f"{name}_{end}": float(value)
        for name, values in found.items()
        for end, value in zip(("low", "high"), percentile_interval(values), strict=True)
    }
