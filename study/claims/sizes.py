"""Claims on the size of the network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study import tables
from study.claims.evidence import Known, decide, no_evidence
from study.claims.frame import LONG_CAP, ratio, states
from study.claims.frame_sizes import NO_SIZES, sizes_of
from study.claims.grids import MAJORITY
from study.claims.verdict import Verdict, claim
from study.tables import intervals
from study.tables.intervals import Floats

SURVIVES = 0.9
"""Share of the sizes: one in ten may be a seed's bad luck."""


TRANSFERS = 1.25
"""A best rate transfers if it takes, at the largest size, at most this factor of the least time."""


ENDS = 1.5
"""Widths within this factor of the smallest or largest count as it: single ones scatter."""


ABOVE_RATE, RATE_RANGE = 1e-3, 5.0
"""The claim is about rates from 0.001 up, and needs them to span this factor."""


ENOUGH_ARRIVED = 0.8
"""Share of the trials at a rate that must have arrived for the shape of the rest to be judged."""


@claim(
    "linear-size",
    "at a fixed rate, time grows linearly with model size",
    "R^2 0.74 to 0.98 at six rates",
)
def linear_size(id: str, studies: Known) -> Verdict:
    """The share of the rates at which time grows as a line, above a half.

    A step time that jumps at a size is the machine's, not a bend: there the steps must be a line.
    """
    sizes = sizes_of(studies)
    if sizes is None:
        return no_evidence(id, MAJORITY, NO_SIZES)
    from study.tables import fits  # scipy takes a second to import

    by_rate: dict[float, Any] = {}
    steps: dict[float, Any] = {}
    step_time: Any = None
    if len(sizes.runs) and sizes.runs["width"].nunique() >= intervals.FEWEST_SIZES:
        for found in tables.sizes(sizes.runs).itertuples():
            row: Any = found
            by_rate[float(row.rate)] = row
        by_steps, step_times = fits.factors(tables.comparable(sizes.runs))
        steps = {rate: row for (_, rate), row in by_steps.items()}
        step_time = step_times.get(sizes.optimizer)
    jumps = step_time is not None and step_time.shape == "jump"
    yes = no = 0
    shapes = []
    for j, rate in enumerate(sizes.rates):
        times = sizes.seconds[:, j]
        row = by_rate.get(float(rate))
        if (
            np.isnan(times).any()
            or np.isfinite(times).mean() < ENOUGH_ARRIVED
            or row is None
            or not isinstance(row.shape, str)
        ):
            shapes.append(f"{rate:g} not known")
            continue
        of_steps = getattr(steps.get(float(rate)), "shape", None)
        straight = row.shape == "line" or (row.shape == "jump" and jumps and of_steps == "line")
        told = f"{rate:g} {row.shape}"
        if row.shape != "line" and of_steps:
            told += f" (steps: {of_steps})"
        if not straight or row.tobit_k_high <= 0:
            no += 1
            shapes.append(told if not straight else f"{rate:g} no growth")
        elif row.tobit_k_low > 0:
            yes += 1
            shapes.append(told)
        else:
            shapes.append(f"{rate:g} too much scatter to say")
    count = len(sizes.rates)
    low, high = (
        intervals.share_interval(yes, count)[0],
        intervals.share_interval(count - no, count)[1],
    )
    value = yes / (yes + no) if yes + no else math.nan
    reason = f"time against weights at each rate of {sizes.optimizer}: {', '.join(shapes)}"
    if jumps:
        reason += f"; the machine's step time jumps by {fits.jump(step_time)}"
    elif step_time is not None and step_time.shape not in (None, "line"):
        reason += f"; the machine's step time is {fits.NAMES[step_time.shape]}"
    return decide(id, value, low, high, MAJORITY, f"{reason} (study {sizes.name})")


@claim(
    "rate-survives-scaling",
    "the same rate trains every size from 1x to 10x",
    "36 of 36 sizes at five rates, 31 of 36 at 0.01",
)
def rate_survives_scaling(id: str, studies: Known) -> Verdict:
    """The share of larger sizes that train at the rates that train the smallest: above 90 %."""
    sizes = sizes_of(studies)
    if sizes is None:
        return no_evidence(id, SURVIVES, NO_SIZES)
    budget = float(tables.budget(sizes.runs).max()) if len(sizes.runs) else 0.0
    fastest = np.where(np.isnan(sizes.seconds), math.inf, sizes.seconds).min(axis=(1, 2))
    long = np.isfinite(fastest) & (budget >= LONG_CAP * fastest)
    failed = np.isposinf(sizes.seconds) & (~sizes.capped | long[:, None, None])
    state = states(np.isfinite(sizes.seconds), failed)
    short = int((sizes.capped & ~long[:, None, None]).sum())
    if (state[0] == 0).any():
        return no_evidence(
            id, SURVIVES, f"not all is known of the smallest size (study {sizes.name})"
        )
    starting = state[0] == 1
    if not starting.any():
        return no_evidence(id, SURVIVES, "no rate trains the smallest size")
    larger = state[1:, starting]
    low = intervals.share_interval(int((larger == 1).sum()), larger.size)[0]
    high = intervals.share_interval(int((larger >= 0).sum()), larger.size)[1]
    worst = int(np.argmin((larger == 1).sum(axis=0)))
    reason = (
        f"{int((larger == 1).sum())} of {larger.size} larger cells of the "
        f"{int(starting.sum())} rates that train the smallest"
    )
    reason += (
        f"; fewest at {sizes.rates[starting][worst]:g}, "
        f"{int((larger[:, worst] == 1).sum())} of {len(larger)} sizes"
    )
    reason += f"; {short} trials ran out of a cap too short to tell" if short else ""
    reason += f"; {sizes.missing} trials are missing" if sizes.missing else ""
    return decide(id, float((larger == 1).mean()), low, high, SURVIVES, reason)


@claim(
    "best-rate-transfers",
    "the best rates at 1x are the best at 10x",
    "0.0005, 0.001 and 0.00146 at both",
)
def best_rate_transfers(id: str, studies: Known) -> Verdict:
    """Time at the largest size of the smallest's best rate, over the least time there: < 1.25."""
    sizes = sizes_of(studies)
    if sizes is None or len(sizes.rates) < 2:
        return no_evidence(id, TRANSFERS, NO_SIZES if sizes is None else "only one rate")
    small, large = sizes.widths <= ENDS * sizes.widths[0], sizes.widths * ENDS >= sizes.widths[-1]
    ends = [
        sizes.seconds[mask].transpose(1, 0, 2) for mask in (small, large)
    ]  # (rates, widths, seeds)
    if any(np.isnan(end).any() for end in ends):
        return no_evidence(
            id,
            TRANSFERS,
            f"{sum(int(np.isnan(end).sum()) for end in ends)} trials of the smallest and "
            "largest sizes are missing",
        )
    if min(end.shape[1] * end.shape[2] for end in ends) < intervals.FEWEST_SEEDS:
        return no_evidence(id, TRANSFERS, "too few trials of the smallest or the largest sizes")
    flat = [end.reshape(len(sizes.rates), -1) for end in ends]
    medians = [np.median(values, axis=1) for values in flat]
    if not all(np.isfinite(values).any() for values in medians):
        return no_evidence(id, TRANSFERS, "no rate works at the smallest or at the largest sizes")
    drawn = [intervals.medians(values, intervals.draws(values.shape[1])) for values in flat]

    def penalty(at_small: Floats, at_large: Floats) -> Floats:
        chosen = np.take_along_axis(at_large, at_small.argmin(axis=0)[None], axis=0)[0]
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(chosen), chosen / at_large.min(axis=0), math.inf)

    value = float(penalty(medians[0][:, None], medians[1][:, None])[0])
    low, high = intervals.percentile_interval(penalty(*drawn))
    best = [float(sizes.rates[int(np.argmin(values))]) for values in medians]
    reason = (
        f"best at the smallest sizes {best[0]:g}, at the largest {best[1]:g}; the first "
        f"takes {value:.2f} times the second's time there"
    )
    return decide(id, value, float(low), float(high), TRANSFERS, reason, above=False)


@claim(
    "variance-above-1e-3",
    "above 0.001, a larger rate takes longer and scatters more about the line",
    "k 2.2e-6 at 0.001, 4.9e-6 s at 0.005; R^2 0.95, 0.85, 0.74",
)
def variance_above(id: str, studies: Known) -> Verdict:
    """Time and scatter of the largest rate over those of the least from 0.001 up: both > 1."""
    sizes = sizes_of(studies)
    if sizes is None:
        return no_evidence(id, 1.0, NO_SIZES)
    above = np.flatnonzero(sizes.rates >= ABOVE_RATE * 0.999)
    if len(above) < 2 or sizes.rates[above[-1]] < RATE_RANGE * sizes.rates[above[0]]:
        return no_evidence(
            id, 1.0, f"the rates from {ABOVE_RATE:g} up span less than a factor of {RATE_RANGE:g}"
        )
    # The largest rate at which most sizes train: beyond it there is no time to compare.
    working = [
        j
        for j in above
        if not np.isnan(sizes.seconds[:, j]).any()
        and np.isfinite(sizes.seconds[:, j]).mean() >= ENOUGH_ARRIVED
    ]
    if np.isnan(sizes.seconds[:, above]).any():
        return no_evidence(
            id,
            1.0,
            f"{int(np.isnan(sizes.seconds[:, above]).sum())} trials at rates from "
            f"{ABOVE_RATE:g} up are missing",
        )
    if len(working) < 2 or sizes.rates[working[-1]] < RATE_RANGE * sizes.rates[working[0]]:
        return no_evidence(id, 1.0, f"too few trials arrived at the rates from {ABOVE_RATE:g} up")
    first, last = sizes.seconds[:, working[0]], sizes.seconds[:, working[-1]]
    n = sizes.runs.groupby("width")["weights"].first().reindex(sizes.widths).to_numpy(float)

    def compared(widths: NDArray[np.int64]) -> tuple[float, float]:
        sides = []
        for times in (first[widths], last[widths]):
            x, y = np.repeat(n[widths], times.shape[1]), times.ravel()
            fine = np.isfinite(y)
            line = np.polyfit(x[fine] / n.max(), y[fine], 1)
            sides.append(
                (float(np.median(y)), float(np.std(y[fine] - np.polyval(line, x[fine] / n.max()))))
            )
        (time, scatter), (time_above, scatter_above) = sides
        return (
            float(ratio(time_above, time)),
            float(ratio(scatter_above, max(scatter, 1e-12))),
        )

    slower, wider = compared(np.arange(len(n)))
    drawn = [compared(widths) for widths in intervals.draws(len(n), 400) if len(set(widths)) > 2]
    low, high = intervals.percentile_interval(np.array([min(pair) for pair in drawn]))
    ends = f"{sizes.rates[working[0]]:g} to {sizes.rates[working[-1]]:g}"
    reason = (
        f"from {ends}: {slower:.2f} times the time, {wider:.2f} times the scatter about the line"
    )
    return decide(id, min(slower, wider), float(low), float(high), 1.0, reason)
