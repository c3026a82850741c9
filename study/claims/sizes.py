"""Claims on the size of the network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from study import tables
from study.claims.evidence import Known
from study.claims.frame import LONG_CAP, states
from study.claims.frame_sizes import (
    GOOD,
    best_overall,
    compared,
    middles,
    no_sizes,
    over_least,
    sizes_of,
)
from study.claims.grids import MAJORITY
from study.claims.verdict import Verdict, claim, decide, miss, no_evidence
from study.tables import intervals

SURVIVES = 0.9
"""Share of the sizes: one in ten may be a seed's bad luck."""


TRANSFERS = 1.25
"""A best rate transfers if it takes, at the largest size, at most this factor of the least time."""


ENDS = 1.5
"""Widths within this factor of the smallest or largest count as it: single ones scatter."""


ABOVE_RATE, ABOVE_BEST = 1e-3, 2.0
"""The claim is about rates from 0.001 up, which is the published network's best rate; and needs a
rate that is so many times the best.
"""


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
    At each rate a line is called something else in one case of twenty, see `fits.shape`, so that
    chance alone hardly ever spoils half of several rates.
    """
    sizes = sizes_of(studies)
    if sizes is None:
        return no_evidence(id, MAJORITY, no_sizes(studies))
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
    low, high = yes / count, (count - no) / count
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
    "36 of 36 sizes at five rates, 23 of 36 at 0.01",
)
def rate_survives_scaling(id: str, studies: Known) -> Verdict:
    """The share of larger sizes that train at the rates that suit the smallest: above 90 %.

    A rate suits the smallest sizes if its time there is within `GOOD` times the least.
    """
    sizes = sizes_of(studies)
    if sizes is None:
        return no_evidence(id, SURVIVES, no_sizes(studies))
    budget = float(tables.budget(sizes.runs).max()) if len(sizes.runs) else 0.0
    fastest = np.where(np.isnan(sizes.seconds), math.inf, sizes.seconds).min(axis=(1, 2))
    long = np.isfinite(fastest) & (budget >= LONG_CAP * fastest)
    failed = np.isposinf(sizes.seconds) & (~sizes.capped | long[:, None, None])
    state = states(np.isfinite(sizes.seconds), failed, sizes.seconds.shape[-1])
    short = int((sizes.capped & ~long[:, None, None]).sum())
    assumed = int((sizes.runs["seconds_source"] == "assumed").sum()) if len(sizes.runs) else 0
    if (state[0] == 0).any():
        return no_evidence(
            id, SURVIVES, f"not all is known of the smallest size (study {sizes.name})"
        )
    starting = state[0] == 1
    if not starting.any():
        return no_evidence(id, SURVIVES, "no rate trains the smallest size")
    small = middles(sizes, sizes.widths <= ENDS * sizes.widths[0])
    good = starting & np.isfinite(small) & (small <= GOOD * small.min())
    good = good if good.any() else starting
    larger, all_ = state[1:, good], state[1:, starting]
    count = int((larger == 1).sum())
    low = intervals.share_interval(count, larger.size, miss(), exact=True)[0]
    high = intervals.share_interval(int((larger >= 0).sum()), larger.size, miss(), exact=True)[1]
    worst = int(np.argmin((all_ == 1).sum(axis=0)))
    rates = sizes.rates[good]
    reason = (
        f"at the rates that suit the smallest sizes, {rates.min():g} to {rates.max():g}, {count} "
        f"of {larger.size} larger cells train; at all that train the smallest "
        f"{int((all_ == 1).sum())} of {all_.size}, fewest at {sizes.rates[starting][worst]:g}, "
        f"{int((all_[:, worst] == 1).sum())} of {len(all_)} sizes"
    )
    short = max(0, short - assumed)
    reason += f"; {assumed} sizes without a row are taken as capped" if assumed else ""
    reason += f"; {short} trials ran out of a cap too short to tell" if short else ""
    reason += f"; {sizes.missing} trials are missing" if sizes.missing else ""
    return decide(id, float((larger == 1).mean()), low, high, SURVIVES, reason)


@claim(
    "best-rate-transfers",
    "the best rates at 1x are the best at 10x",
    "0.00146 at the ten sizes to 3.25x, then 0.001 or 0.0005",
)
def best_rate_transfers(id: str, studies: Known) -> Verdict:
    """Time of one rate over the least, at the worse of both ends, for the best such rate: < 1.25.

    The article means that one good rate serves from 1x to 10x. Seeds of equal cells count, whatever
    study holds them.
    """
    sizes = sizes_of(studies, others=True)
    if sizes is None or len(sizes.rates) < 2:
        return no_evidence(id, TRANSFERS, no_sizes(studies) if sizes is None else "only one rate")
    ends = [sizes.widths <= ENDS * sizes.widths[0], sizes.widths * ENDS >= sizes.widths[-1]]
    known = [np.isfinite(sizes.seconds[end]).sum(axis=(0, 2)) for end in ends]
    if min(int(count.max()) for count in known) < intervals.FEWEST_SEEDS:
        return no_evidence(id, TRANSFERS, "too few trials of the smallest or the largest sizes")
    found = [over_least(sizes, end, miss() / 2) for end in ends]
    value, low, high = (np.maximum(*(part[i] for part in found)) for i in range(3))
    one = int(np.argmin(value))
    middle = [middles(sizes, end) for end in ends]
    best = [float(sizes.rates[int(np.argmin(values))]) for values in middle]
    reason = (
        f"best at the smallest sizes {best[0]:g}, at the largest {best[1]:g}; {sizes.rates[one]:g} "
        f"takes {found[0][0][one]:.2f} and {found[1][0][one]:.2f} times the least time there "
        f"(study {sizes.name})"
    )
    reason += f"; {sizes.missing} trials are missing" if sizes.missing else ""
    return decide(
        id, float(value[one]), float(low.min()), float(high.min()), TRANSFERS, reason, above=False
    )


@claim(
    "variance-above-1e-3",
    "above 0.001, a larger rate takes longer and scatters more about the line",
    "k 2.2e-6 at 0.001, 4.9e-6 s at 0.005; R^2 0.95, 0.85, 0.74",
)
def variance_above(id: str, studies: Known) -> Verdict:
    """Time and scatter of the largest rate over those of the network's best rate: both > 1.

    For the published network the best rate is 0.001. The reading from 0.001 up is told beside it.
    """
    sizes = sizes_of(studies)
    if sizes is None:
        return no_evidence(id, 1.0, no_sizes(studies))
    # At the largest rate at which most sizes train there is still a time to compare.
    working = [
        j
        for j in range(len(sizes.rates))
        if np.isfinite(sizes.seconds[:, j]).mean() >= ENOUGH_ARRIVED
    ]
    if not working:
        return no_evidence(id, 1.0, "at no rate most sizes arrived")
    last, best = working[-1], best_overall(sizes, working)
    above = [j for j in working if sizes.rates[j] >= ABOVE_RATE * 0.999]
    said = ""
    if above and sizes.rates[last] >= ABOVE_BEST * sizes.rates[above[0]]:
        found = compared(sizes, above[0], last, miss())
        said = (
            f"; from {sizes.rates[above[0]]:g} to {sizes.rates[last]:g} the time is "
            f"{found.slower:.2f} times as long and the scatter {found.wider:.2f} times as large"
        )
    if sizes.rates[last] < ABOVE_BEST * sizes.rates[best]:
        tried = sizes.rates[-1] >= ABOVE_BEST * sizes.rates[best]
        reason = (
            f"the best rate is {sizes.rates[best]:g}, and no rate {ABOVE_BEST:g} times as large "
            f"{'trains most sizes' if tried else 'was tried'}{said} (study {sizes.name})"
        )
        return no_evidence(id, 1.0, reason)
    found = compared(sizes, best, last, miss())
    reason = (
        f"from the best rate, {sizes.rates[best]:g}, to {sizes.rates[last]:g} the time is "
        f"{found.slower:.2f} times as long and the scatter about the line {found.wider:.2f} times "
        f"as large{said} (study {sizes.name})"
    )
    return decide(id, min(found.slower, found.wider), found.low, found.high, 1.0, reason)
