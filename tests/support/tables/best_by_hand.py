"""The table of best rates once more, in plain Python, and all tables by their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import pandas as pd
from scipy import integrate, optimize, stats

from study.spec.trial import OPTIMIZERS
from support.tables.by_hand import (
    Row,
    cells,
    envelope,
    groups,
    inf,
    middle,
    nan,
    place,
    profile,
    time_of,
    valley,
)


def decades(rates: Sequence[float], times: Sequence[float]) -> float:
    """Decades of rate within twice the least time; a rate reaches half-way to its neighbours."""
    logs, least, found = [math.log10(rate) for rate in rates], min(times), 0.0
    for i, time in enumerate(times):
        below = logs[i] - logs[i - 1] if i else logs[1] - logs[0] if len(logs) > 1 else 0.0
        above = logs[i + 1] - logs[i] if i + 1 < len(logs) else below
        found += (below + above) / 2 if time <= 2 * least and time < inf else 0.0
    return found


def look(rows: Sequence[Row], rate: float) -> float:
    """Seconds between two looks at the trials of a rate; 0 if nothing is known."""
    known: list[float] = []
    for row in rows:
        own = row["check_every"] * row["step_seconds"]
        value = row.get("look_seconds", nan) if pd.isna(own) else own
        if row["learning_rate"] == rate and not pd.isna(value):
            known.append(value)
    return middle(known) if known else 0.0


def best(rows: Sequence[Row]) -> list[Row]:
    """See `tables.best`."""
    seeds = 1 + max(row["seed"] for row in rows)
    found = []
    for (width, number), mine in groups(rows, lambda row: place(row)[:2]).items():
        table = cells(mine)
        rates, arrived = [c["rate"] for c in table], [c for c in table if c["seconds"] < inf]
        top = min(arrived, key=lambda cell: cell["seconds"]) if arrived else {}
        row = {
            "width": width,
            "optimizer": OPTIMIZERS[number],
            "rates": len(rates),
            "arrived": len(arrived),
            "share": len(arrived) / len(rates),
            "lowest": min((cell["rate"] for cell in arrived), default=nan),
            "highest": max((cell["rate"] for cell in arrived), default=nan),
            "best_rate": top.get("rate", nan),
            "seconds": top.get("seconds", nan),
            "steps": top.get("steps", nan),
            "seeds": max(cell["seeds"] for cell in table),
            "seeds_arrived": top.get("arrived", 0),
            "at_edge": len(rates) > 1 and top.get("rate") in (min(rates), max(rates)),
            "decades": decades(rates, [c["seconds"] for c in table]) if arrived else nan,
            "unstable": top.get("unstable", False),
        }
        ties = [
            cell["rate"]
            for cell in arrived
            if cell["seconds"] == top["seconds"]
            or cell["seconds"] - look(mine, cell["rate"]) < top["seconds"]
        ]
        row |= {
            "tied": len(ties),
            "tied_low": min(ties, default=nan),
            "tied_high": max(ties, default=nan),
        }
        found.append(row | _best_intervals(mine, rates, seeds if arrived else 0, *scatter(rows)))
    return found


def scatter(rows: Sequence[Row]) -> tuple[float, float]:
    """Scatter of the log times about their cells, from all pairs, and the degrees of freedom."""
    pairs, free = [], 0
    for mine in groups(rows, lambda row: place(row)[:2]).values():
        cells = [
            [time_of(row) for row in cell if time_of(row) < inf]
            for cell in groups(mine, place).values()
        ]
        least = min((middle(times) for times in cells if times), default=inf)
        for times in cells:
            if times and middle(times) <= 4 * least:
                free += len(times) - 1
                pairs += [abs(math.log(a / b)) for a, b in combinations(times, 2)]
    if free < 10:
        return 0.32, 87
    most = 3 * middle(pairs) / 0.67449
    return math.sqrt(sum(min(pair, most) ** 2 for pair in pairs) / len(pairs) / 2), free


def _best_intervals(
    mine: Sequence[Row], rates: Sequence[float], seeds: int, sd: float, free: float
) -> Row:
    """Every cell that has an arrival may be tied with the best."""
    names = [f"{name}_{end}" for name in ("best", "seconds", "decades") for end in ("low", "high")]
    known = {
        (row["learning_rate"], row["seed"]): time_of(row)
        for row in mine
        if row["outcome"] not in ("failed", "pruned")
    }
    if seeds < 3 or len(known) < len(rates) * seeds:
        return dict.fromkeys(names, nan)
    times = [[known[rate, seed] for seed in range(seeds)] for rate in rates]
    arrivals = [[time for time in row if time < inf] for row in times]
    hope = [middle(row) if row else inf for row in arrivals]
    tied = sum(map(bool, arrivals))
    scale = sd * math.sqrt(math.pi / 2 / seeds)
    least = min(map(middle, times))
    between = math.exp(scale * _above_the_least(tied - 1, free)) if tied > 1 else 1.0
    apart = math.exp(scale * float(stats.studentized_range.ppf(0.95, max(tied, 2), free)))
    each = 1 - (1 - 0.025) ** (1 / tied)
    fine = [rate for rate, time in zip(rates, hope, strict=True) if time <= least * between]
    sure = [max(1e-9, time) if middle(row) <= max(2 * least / apart, least) else inf
            for time, row in zip(hope, times, strict=True)]  # fmt: skip
    maybe = [time if time <= 2 * least * apart else inf for time in hope]
    return {
        "best_low": min(fine),
        "best_high": max(fine),
        "seconds_low": min(hope) * math.exp(-scale * float(stats.t.ppf(0.975, free))),
        "seconds_high": least * math.exp(scale * float(stats.t.ppf(1 - each, free))),
        "decades_low": decades(rates, [1.0 if time < inf else inf for time in sure]),
        "decades_high": decades(rates, [1.0 if time < inf else inf for time in maybe]),
    }


def _above_the_least(others: int, free: float) -> float:
    """The 95 % point of a normal deviate less the least of some others, for that many degrees."""
    normal = stats.norm

    def missed(q: float) -> float:
        def density(z: float) -> float:
            return float(normal.pdf(z) * normal.cdf(q - z) ** others)

        return 0.95 - float(integrate.quad(density, -12, 12)[0])

    tail = 0.05 / others
    exact = float(optimize.bisect(missed, 0, 12, xtol=1e-12))
    return exact * float(stats.t.ppf(1 - tail, free) / normal.ppf(1 - tail))


TABLES: dict[str, Callable[[Sequence[Row]], list[Row]]] = {
    "valley": valley,
    "cells": cells,
    "best": best,
    "envelope": envelope,
    "profile": profile,
}
"""By the names of `tables.TABLES`."""
