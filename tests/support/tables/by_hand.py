"""The tables of a study once more: trial by trial in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from scipy import stats

from study.spec.trial import OPTIMIZERS

Row = dict[str, Any]
inf, nan = math.inf, math.nan


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def middle(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share does not exceed."""
    return sorted(values)[max(1, math.ceil(share * len(values) - 1e-9)) - 1]


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The values between which the median lies in 95 % of cases; all of them if there are few."""
    ordered, k = sorted(values), 0
    while stats.binom.cdf(k, len(values), 0.5) <= 0.025:
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[-k]


def groups(rows: Sequence[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """The rows by a key, in the order of the keys."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items()))


def place(row: Row) -> tuple[float, int, float]:
    """What the trials of a cell share, in the order of the tables."""
    return row["width"], OPTIMIZERS.index(row["optimizer"]), row["learning_rate"]


def time_of(row: Row, name: str = "seconds") -> float:
    """Seconds or steps to the target."""
    if row["outcome"] != "reached":
        return inf
    return nan if row[name] is None else float(row[name])


def whole_budget(row: Row) -> float:
    """When the trial would have been given up."""
    bounds = [row["cap_seconds"]]
    if not pd.isna(row["max_steps"]):
        last = row["max_steps"] // row["check_every"] * row["check_every"]
        bounds.append(last * row["step_seconds"])
    known = [bound for bound in bounds if bound is not None and not pd.isna(bound)]
    return min(known) if known else float(row["seconds"])


def valley(rows: Sequence[Row]) -> list[Row]:
    """See `tables.valley`."""
    same = ("optimizer", "outcome", "seconds", "steps", "seed", "width", "quiet", "unstable")
    ordered = sorted(rows, key=lambda row: (*place(row), row["seed"]))
    return [{name: row[name] for name in same} | {"rate": row["learning_rate"]} for row in ordered]


def cells(rows: Sequence[Row]) -> list[Row]:
    """See `tables.cells`."""
    found = []
    for (width, number, rate), mine in groups(rows, place).items():
        times, arrived = [time_of(row) for row in mine], [r for r in mine if time_of(r) < inf]
        steps = [time_of(row, "steps") for row in mine]
        known = [row["step_seconds"] for row in mine if not pd.isna(row["step_seconds"])]
        low, high = ends(times) if len(mine) >= 3 else (nan, nan)
        found.append(
            {
                "width": width,
                "optimizer": OPTIMIZERS[number],
                "rate": rate,
                "seeds": len(mine),
                "arrived": len(arrived),
                "seconds": middle(times),
                "steps": nan if any(map(math.isnan, steps)) else middle(steps),
                "weights": mine[0]["weights"],
                "multiply_adds": mine[0]["multiply_adds"],
                "step_seconds": middle(known) if known else nan,
                "expected_seconds": sum(row["seconds"] for row in mine) / len(arrived)
                if arrived
                else inf,
                "seconds_low": low,
                "seconds_high": high,
                "seconds_q25": quantile(times, 0.25),
                "seconds_q75": quantile(times, 0.75),
                "unstable": any(row["unstable"] for row in mine),
            }
        )
    return found


def envelope(rows: Sequence[Row]) -> list[Row]:
    """See `tables.envelope`."""
    cap = max(map(whole_budget, rows))
    found = []
    for (width, rate), mine in groups(cells(rows), lambda c: (c["width"], c["rate"])).items():
        times = {cell["optimizer"]: cell["seconds"] for cell in mine}
        fastest, slowest = min(times, key=lambda n: times[n]), max(times, key=lambda n: times[n])
        found.append(
            {
                "rate": rate,
                "width": width,
                "fastest_seconds": min(times[fastest], cap),
                "fastest_optimizer": fastest if times[fastest] < inf else None,
                "slowest_seconds": min(times[slowest], cap),
                "slowest_optimizer": slowest if times[slowest] < inf else None,
                "arrived": sum(value < inf for value in times.values()),
                "optimizers": len(times),
            }
        )
    return found


def profile(rows: Sequence[Row]) -> list[Row]:
    """See `tables.profile`."""
    least = {
        key: min(map(time_of, mine))
        for key, mine in groups(rows, lambda row: (row["width"], row["seed"])).items()
    }
    found = []
    for number, mine in groups(rows, lambda row: OPTIMIZERS.index(row["optimizer"])).items():
        ratios = sorted(
            time_of(row) / least[row["width"], row["seed"]] for row in mine if time_of(row) < inf
        )
        found += [
            {"optimizer": OPTIMIZERS[number], "ratio": ratio, "share": (i + 1) / len(mine)}
            for i, ratio in enumerate(ratios)
        ]
    return found


def same(table: pd.DataFrame, rows: Sequence[Row], rel: float = 1e-9, abs_: float = 1e-12) -> None:
    """Fail unless the table has these columns, and these values in this order."""
    assert set(table.columns) == set(rows[0]), "a column has no test of its own"
    assert len(table) == len(rows)
    for name in table.columns:
        given, wanted = table[name].astype(object).tolist(), [row[name] for row in rows]
        for i, (one, other) in enumerate(zip(given, wanted, strict=True)):
            if pd.isna(other) or pd.isna(one):
                fine = bool(pd.isna(one) and pd.isna(other))
            elif isinstance(other, str | bool):
                fine = one == other
            else:
                fine = math.isclose(one, other, rel_tol=rel, abs_tol=abs_)
            assert fine, f"{name} of row {i} is {one}, by hand {other}: {rows[i]}"
