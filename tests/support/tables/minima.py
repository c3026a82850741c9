"""Valleys that are known, and how often an interval of their best covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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


def bootstrap(rates: Floats, seconds: Floats, noise: Scatter) -> Ends:
    """The intervals that resampled seeds give, as a comparison: they cover too little."""
    del noise
    drawn = intervals.medians(seconds, intervals.draws(seconds.shape[1]))
    least = drawn.min(axis=0)
    found = {
        "best": rates[drawn.argmin(axis=0)],
        "seconds": least,
        "decades": intervals.valley_decades(rates, drawn),
    }
    return {
        f"{name}_{end}": float(value)
        for name, values in found.items()
        for end, value in zip(("low", "high"), intervals.percentile_interval(values), strict=True)
    }
