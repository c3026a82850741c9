"""Claims on the grid of rates."""

from __future__ import annotations

import math

import numpy as np

from study.claims.bands import (
    counts,
    ends_as_claimed,
    ends_beyond,
    holes,
    possibly_works,
    surely_works,
)
from study.claims.evidence import Known, meant_in
from study.claims.frame import (
    grid_of,
    grid_study,
    judged_study,
    no_grid,
    ratio,
    times_in_words,
    without,
)
from study.claims.leasts import leasts_of, spreads
from study.claims.verdict import FAILS, HOLDS, UNDECIDED, Verdict, claim, decide, no_evidence
from study.tables import intervals
from study.words import counted

MAJORITY = 0.5
"""Most means more than half."""


HOLE = 1.0
"""One rate that fails inside a band may be a seed's bad luck. Two neighbours are a hole."""


MAGNITUDE = 10.0
"""An order of magnitude."""


UNION = 0.95
"""Share of the rates from 0.001 to 30: one in twenty may be a seed's bad luck."""


UNION_RATES = (0.001, 30.0)


REASONABLE = 2.0
"""RMSProp's best time over the slowest of the others': so much slower, it stands apart. The
published times are 7.0 to 12.4 s for five optimizers, and 83.7 s, 6.8 times 12.4.
"""


@claim(
    "majority-fails",
    "for every optimizer, most learning rates fail to train the model",
    "33 to 44 of 48 rates fail",
)
def majority_fails(id: str, studies: Known) -> Verdict:
    """The least share of failing rates over the optimizers, above a half.

    Each end of a band is known to one step of the grid.
    """
    grid = grid_of(studies)
    if grid is None:
        return no_evidence(id, MAJORITY, no_grid(studies))
    count = len(grid.rates)
    failing = (grid.state == -1).sum(axis=1)
    ends = [counts(-row) for row in grid.state]
    least = int(np.argmin(failing))
    reason = (
        f"{grid.optimizers[least]} fails at the fewest rates, {failing[least]} of "
        f"{count}{judged_study(grid)}"
    )
    lows, highs = [low / count for low, _ in ends], [high / count for _, high in ends]
    found = decide(id, failing[least] / count, min(lows), min(highs), MAJORITY, reason)
    if found.verdict == HOLDS and not grid.complete:
        return decide(
            id,
            found.statistic,
            min(*lows, MAJORITY),
            min(highs),
            MAJORITY,
            f"not all six optimizers were tried; {reason}",
        )
    return found


@claim(
    "valley",
    "each optimizer has one band of rates that work; below it training never gets there, above "
    "it it is unstable",
    "one band each, 4 to 15 rates wide",
)
def valley(id: str, studies: Known) -> Verdict:
    """The widest hole in any optimizer's band: at most one rate, and the band ends in the grid."""
    grid = grid_of(studies)
    if grid is None:
        return no_evidence(id, HOLE, no_grid(studies))
    found = [holes(row) for row in grid.state]
    low, high = max(least for least, _ in found), max(most for _, most in found)
    rows = dict(zip(grid.optimizers, grid.state, strict=True))
    never = [name for name, row in rows.items() if (row == -1).all()]
    unknown = [name for name, row in rows.items() if (row == 0).any()]
    study = grid_study(studies)
    edge = [
        name
        for name, row in rows.items()
        if (row[0] == 1 or row[-1] == 1)
        and study is not None
        and not ends_beyond(study, studies, grid, name)
    ]
    wrong = [
        name
        for name, row in rows.items()
        if name not in (*never, *unknown) and not ends_as_claimed(grid, name)
    ]
    worst = grid.optimizers[int(np.argmax([least for least, _ in found]))]
    if never:
        verdict, reason = FAILS, f"{never[0]} works nowhere"
    elif low > HOLE:
        verdict, reason = FAILS, f"the widest hole in a band is {low} rates, {worst}'s"
    elif unknown:
        verdict, reason = UNDECIDED, f"not all is known of the rates of {', '.join(unknown)}"
    elif edge:
        verdict, reason = UNDECIDED, f"the band of {', '.join(edge)} reaches the grid's edge"
    elif wrong:
        verdict, reason = (
            FAILS,
            f"above its band {wrong[0]} mostly runs out of time, or below it mostly breaks",
        )
    elif not grid.complete:
        verdict, reason = UNDECIDED, "not all six optimizers were tried"
    else:
        verdict, reason = (
            HOLDS,
            (
                f"the widest hole is {counted(low, 'rate')}; trials run out of time below the "
                "bands "
                "and break above them"
            ),
        )
    ended = [name for name, row in rows.items() if 1 in (row[0], row[-1]) and name not in edge]
    if ended:
        reason += f"; the band of {', '.join(ended)} ends at rates that another study tried"
    if verdict == FAILS and grid.seeds < intervals.FEWEST_SEEDS:
        verdict, reason = UNDECIDED, f"{reason}; {counted(grid.seeds, 'seed')}, and it may be luck"
    return Verdict(
        id, verdict, float(low), float(low), float(high), HOLE, reason + judged_study(grid)
    )


@claim(
    "no-universal-rate",
    "no learning rate works for all optimizers",
    "at most 3 of 6 optimizers at any one rate",
)
def no_universal_rate(id: str, studies: Known) -> Verdict:
    """The most optimizers that work at any one rate, fewer than all six.

    An end of a band is known to one step of the grid.
    """
    grid = grid_of(studies)
    if grid is None:
        return no_evidence(id, len(meant_in(studies)) - 0.5, no_grid(studies))
    threshold = len(grid.meant) - 0.5
    working, possible = (grid.state == 1).sum(axis=0), possibly_works(grid.state).sum(axis=0)
    absent = len(grid.meant) - len(grid.optimizers)
    # An optimizer that was not tried may work everywhere, unless another is known to fail there.
    high = (
        int((possible + absent).max())
        if (possible == len(grid.optimizers)).any()
        else int(possible.max())
    )
    top = int(np.argmax(working))
    reason = (
        f"at {grid.rates[top]:.3g} {working[top]} of {len(grid.optimizers)} optimizers "
        f"work, nowhere more{judged_study(grid)}"
    )
    return decide(
        id, float(working[top]), float(working[top]), high, threshold, reason, above=False
    )


@claim(
    "order-of-magnitude",
    "among rates that work, training time varies by an order of magnitude",
    "from 7.0 s at best to the cap of 120 s",
)
def order_of_magnitude(id: str, studies: Known) -> Verdict:
    """The slowest median time over the fastest within an optimizer, the median of all: above ten.

    Over all optimizers together it is more still, but that restates the cap over the fastest time.
    """
    grid = grid_of(studies)
    if grid is None:
        return no_evidence(id, MAGNITUDE, no_grid(studies))
    works = (grid.state == 1) & np.isfinite(grid.medians[1])
    if not works.any():
        return no_evidence(id, MAGNITUDE, f"no cell that is known works{judged_study(grid)}")
    found, low, high = spreads(grid)
    tried = works.any(axis=1)
    value = float(np.median(found[tried]))
    times = grid.medians[1][works]
    shown = ", ".join(
        f"{name} {spread:.3g}"
        for name, spread in zip(grid.optimizers, found, strict=True)
        if math.isfinite(spread)
    )
    reason = (
        f"within an optimizer the slowest rate that works takes so many times the fastest: "
        f"{shown}; over all together {times.max() / times.min():.1f} times "
        f"({counted(grid.seeds, 'seed')}; two seeds of a cell differ by up to "
        f"{grid.noise.factor:.2g} times){judged_study(grid)}"
    )
    ends = float(np.median(low[tried])), float(np.median(high[tried]))
    return decide(id, value, *ends, MAGNITUDE, reason)


@claim(
    "wide-union",
    "rates from 0.001 to 30 succeed with at least one optimizer",
    "4.6e-5 to 46 with at least one",
)
def wide_union(id: str, studies: Known) -> Verdict:
    """The share of the rates from 0.001 to 30 at which an optimizer works, at least 95 %.

    At an end of a band, known to one step of the grid, the rate counts if two optimizers work.
    """
    grid = grid_of(studies)
    low_rate, high_rate = UNION_RATES
    if grid is None or grid.rates[0] > low_rate or grid.rates[-1] < high_rate:
        return no_evidence(
            id,
            UNION,
            no_grid(studies)
            if grid is None
            else f"the grid does not reach from {low_rate:g} to {high_rate:g}",
        )
    inside = (grid.rates >= low_rate * 0.999) & (grid.rates <= high_rate * 1.001)
    state = grid.state[:, inside]
    working, possible = (state == 1).any(axis=0), possibly_works(grid.state)[:, inside].any(axis=0)
    sure = surely_works(grid.state)[:, inside].any(axis=0) | ((state == 1).sum(axis=0) > 1)
    value, high = round(float(working.mean()), 6), round(float(possible.mean()), 6)
    without = grid.rates[inside][np.logical_not(working)]
    reason = f"{int(working.sum())} of {int(inside.sum())} rates work with some optimizer"
    if len(without):
        more = " ..." if len(without) > 4 else ""
        reason += f"; not {', '.join(f'{rate:.3g}' for rate in without[:4])}{more}"
    if not grid.complete:
        high, reason = 1.0, f"{reason}; not all six optimizers were tried"
    low = round(float(sure.mean()), 6)
    return decide(id, value, low, high, UNION, reason + judged_study(grid))


@claim(
    "all-but-rmsprop",
    "at its best rate every optimizer but RMSProp converges in reasonable time",
    "7.0 to 12.4 s; RMSProp 83.7 s",
)
def all_but_rmsprop(id: str, studies: Known) -> Verdict:
    """RMSProp's best time over that of the slowest other optimizer, above two."""
    grid = grid_of(studies)
    why = without(studies, grid, "rmsprop")
    if grid is None or why:
        return no_evidence(id, REASONABLE, why)
    rmsprop = grid.optimizers.index("rmsprop")
    rest = [i for i in range(len(grid.optimizers)) if i != rmsprop]
    if not np.isfinite(grid.high).any():
        return no_evidence(id, REASONABLE, f"nothing arrived at any rate{judged_study(grid)}")
    leasts = leasts_of(grid)
    value, low, high = leasts.over_slowest(rmsprop, rest)
    slowest = leasts.slowest(rest)
    others = float(ratio(leasts.high[slowest], leasts.high[leasts.fastest(rest)]))
    reason = (
        f"RMSProp's best time is {times_in_words(value)} that of {leasts.optimizers[slowest]}, the "
        f"slowest of the others, which are within {others:.1f} times of each other"
        if math.isfinite(leasts.high[slowest])
        else f"{leasts.optimizers[slowest]} does not arrive in the median at its best rate, so "
        "that not every other optimizer converges"
    ) + f" ({leasts.room}){leasts.words}"
    return decide(id, value, low, high, REASONABLE, reason)
