"""Runs to tidy tables: what the figures draw and a notebook pivots. pandas alone; the tensor world is never imported from here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study import statistics
from study.errors import StudyError
from study.hopeless import hopeless
from study.record import PROTOCOL, Outcome, Run
from study.spec import OPTIMIZERS, StudySpec
from study.statistics import Floats
from study.store import Store, refuse_links
from study.words import counted

CELL = ["width", "optimizer", "rate"]
"""What a cell is: its trials differ in the seed alone."""

SAME = (*({"cap": "cap_seconds"}.get(name, name) for name in PROTOCOL if name != "check_every"), "engine", "precision", "fingerprint")
"""Columns in which rows must agree to stand in one table: seconds of two machines or modes are not one measurement."""


def frame(runs: Iterable[Run]) -> pd.DataFrame:
    """One row a run, the fields of `runs.jsonl` as columns (`versions` as `software`), optimizers in their usual order."""
    rows = [run.to_json() for run in runs]
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else None)
    if table.empty:
        return table
    table["software"] = [run.software for run in runs]
    table = table.drop(columns=["versions", "schema"])
    for name in ("steps", "step_seconds"):  # not known of every source
        table[name] = pd.to_numeric(table[name])
    table["optimizer"] = pd.Categorical(table["optimizer"], [name for name in OPTIMIZERS if name in set(table["optimizer"])])
    return table.sort_values(["width", "optimizer", "learning_rate", "seed"], ignore_index=True)


def load(folder: str | Path, machine: str | None = None) -> pd.DataFrame:
    """The stored runs of a study's folder, one row a trial; see `frame`.

    Args:
        folder: the study's folder.
        machine: name or fingerprint of the machine whose runs to take; every one's where None.

    Raises:
        StudyError: the folder holds no study, or a line of it cannot be read, or it holds no run of that machine.
    """
    store = Store(Path(folder))
    store.spec()
    return frame(of_machine(store.runs(), machine, folder))


def of_machine(runs: Sequence[Run], machine: str | None, folder: str | Path) -> list[Run]:
    """Those of a folder's runs that the machine of this name or fingerprint trained; all of them where it is None.

    Raises:
        StudyError: there are none of that machine; the sentence names those that there are.
    """
    found = [run for run in runs if machine in (None, run.machine, run.fingerprint)]
    if machine is not None and not found:
        there = ", ".join(sorted({f"{run.machine} ({run.fingerprint})" for run in runs}))
        raise StudyError(f"{folder} holds no trial of the machine {machine!r}: {there or 'none has ended'}")
    return found


def checks(folder: str | Path) -> pd.DataFrame:
    """Accuracy and loss at every check of every stored trial, long: id, step, accuracy, loss."""
    parts = []
    for id_, row in Store(Path(folder)).checks().items():
        part = pd.DataFrame({"id": id_, "accuracy": row["accuracy"], "loss": row["loss"]})
        part["step"] = (part.index + 1) * row["check_every"]
        parts.append(part)
    columns = ["id", "step", "accuracy", "loss"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def curves(folder: str | Path) -> pd.DataFrame:
    """Validation accuracy over training of each optimizer at its best rate, long: optimizer, learning_rate, width, seed, outcome, step,
    seconds, accuracy, and the fingerprint of the machine where it is told."""
    parts = []
    for row in Store(Path(folder)).curves():
        part = pd.DataFrame({"accuracy": row["accuracy"]})
        part["step"] = (part.index + 1) * row["check_every"]
        part["seconds"] = part["step"] * row["step_seconds"]
        parts.append(part.assign(**{name: row[name] for name in ("optimizer", "learning_rate", "width", "seed")}))
        parts[-1]["outcome"], parts[-1]["fingerprint"] = row.get("outcome", ""), row.get("fingerprint", "")
    columns = ["optimizer", "learning_rate", "width", "seed", "outcome", "step", "seconds", "accuracy", "fingerprint"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def curves_of(stored: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Those of the stored curves that a machine of these runs trained, or that do not tell their machine."""
    return stored[stored["fingerprint"].isin([*(runs["fingerprint"] if len(runs) else []), ""])]


COLLAPSE = 0.2
"""A curve that ends so far below the target, or diverged, collapsed."""


def collapsed(curves: pd.DataFrame, target: float) -> pd.Series:
    """Whether each validation curve, by (optimizer, learning_rate, seed), was lost in the end."""
    ends = curves.sort_values("step").groupby(["optimizer", "learning_rate", "seed"], observed=True).last()
    return (ends["accuracy"] < target - COLLAPSE) | (ends["outcome"] == Outcome.DIVERGED)


def comparable(runs: pd.DataFrame, folder: str | Path = "") -> pd.DataFrame:
    """The same runs, once it is sure that they may share a table, with those optimizers as categories that are there.

    Raises:
        StudyError: there are none, or they differ in machine, mode or protocol; the sentence names the column and its values.
    """
    if runs.empty:
        where = f"{folder}: " if str(folder) else ""
        raise StudyError(f"{where}no trial has ended yet, so there is nothing to tabulate")
    for column in SAME:
        values = runs[column].drop_duplicates().tolist()
        if len(values) > 1:
            listed = ", ".join(str(value) for value in values)
            how = f"select one before tabulating, such as runs[runs.{column} == ...]"
            if column == "fingerprint":
                how = "tables, figures, claims and report take one machine's with --machine NAME"
            raise StudyError(f"the runs differ in {column} ({listed}): {how}")
    return runs.assign(optimizer=runs["optimizer"].cat.remove_unused_categories())


def budget(runs: pd.DataFrame) -> pd.Series:
    """Seconds after which each run would have been given up: its cap or its last check within max_steps x step time, whichever comes
    first; what it took where neither is known."""
    last = runs["max_steps"].astype(float) // runs["check_every"] * runs["check_every"]
    by_steps = last * runs["step_seconds"].astype(float)
    return pd.concat([runs["cap_seconds"].astype(float), by_steps], axis=1).min(axis=1).fillna(runs["seconds"])


def valley(runs: pd.DataFrame) -> pd.DataFrame:
    """Every trial of the valley figure: optimizer, rate, outcome, seconds, steps, seed, width, and whether the machine was quiet."""
    table = comparable(runs).rename(columns={"learning_rate": "rate"})
    return table[["optimizer", "rate", "outcome", "seconds", "steps", "seed", "width", "quiet"]].reset_index(drop=True)


def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a (width, optimizer, rate), over its seeds with a censored time as infinite.

    Columns: seeds, arrived; seconds and steps, the medians; seconds_low, seconds_high, a bootstrap interval of the median; seconds_q25,
    seconds_q75, the quartiles; expected_seconds, the expected running time (all seconds spent / arrivals: what restarting until one
    arrives costs; Hansen et al. 2009); weights, multiply_adds, step_seconds.
    """
    runs = comparable(runs)
    arrived = runs["outcome"] == Outcome.REACHED
    timed = runs.assign(
        arrived=arrived,
        spent=runs["seconds"],
        seconds=runs["seconds"].where(arrived, math.inf),
        steps=runs["steps"].astype(float).where(arrived, math.inf),
    ).rename(columns={"learning_rate": "rate"})
    grouped = timed.groupby(CELL, observed=True)
    table = grouped.agg(
        seeds=("seed", "size"),
        arrived=("arrived", "sum"),
        seconds=("seconds", "median"),
        steps=("steps", "median"),
        spent=("spent", "sum"),
        weights=("weights", "first"),
        multiply_adds=("multiply_adds", "first"),
        step_seconds=("step_seconds", "median"),
    ).reset_index()
    table["expected_seconds"] = (table.pop("spent") / table["arrived"]).where(table["arrived"] > 0, math.inf)
    order = timed.assign(place=grouped.ngroup()).sort_values(["place", "seconds"])
    for seeds, mine in order.groupby(order["place"].map(table["seeds"])):
        values = mine["seconds"].to_numpy(float).reshape(-1, int(seeds))
        low, high = statistics.median_intervals(values)
        places = mine["place"].to_numpy()[:: int(seeds)]
        table.loc[places, "seconds_low"], table.loc[places, "seconds_high"] = low, high
        for name, share in (("seconds_q25", 0.25), ("seconds_q75", 0.75)):
            table.loc[places, name] = np.quantile(values, share, axis=1, method="inverted_cdf")
    return table


def best(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a (width, optimizer): rates tried and that arrived, lowest and highest of those, the best rate with its seconds and steps.

    A rate arrived if its median time over seeds is finite; the best is the one of least median seconds, at which `seeds_arrived` of the
    seeds did. `at_edge` says that the best rate is the lowest or highest tried, so that a better one may lie beyond. `decades` is the
    width of the valley, decades of rate within twice the best time. `best_low` and `best_high`, `seconds_low` and `seconds_high`,
    `decades_low` and `decades_high` are bootstrap intervals over the seeds, NaN with fewer than three or with trials missing.
    """
    rows = []
    runs = comparable(runs)
    seeds = int(runs["seed"].max()) + 1
    by_width = dict(iter(runs.groupby("width")))
    for key, group in cells(runs).groupby(["width", "optimizer"], observed=True):
        width, optimizer = float(str(key[0])), str(key[1])
        arrived = group[group["seconds"] < math.inf]
        row = {
            "optimizer": optimizer,
            "rates": len(group),
            "arrived": len(arrived),
            "lowest": arrived["rate"].min(),
            "highest": arrived["rate"].max(),
            "best_rate": math.nan,
            "seconds": math.nan,
            "steps": math.nan,
            "seeds_arrived": 0,
            "at_edge": False,
            "seeds": int(group["seeds"].max()),
            "width": width,
            "share": len(arrived) / len(group),
            "decades": math.nan,
        }
        row |= {f"{name}_{end}": math.nan for name in ("best", "seconds", "decades") for end in ("low", "high")}
        if len(arrived):
            top = arrived.iloc[int(arrived["seconds"].to_numpy().argmin())]
            edge = len(group) > 1 and top["rate"] in (group["rate"].min(), group["rate"].max())
            row |= {"best_rate": top["rate"], "seconds": top["seconds"], "steps": top["steps"]}
            row |= {"seeds_arrived": int(top["arrived"]), "at_edge": bool(edge)}
            rates = group["rate"].to_numpy(float)
            row["decades"] = float(statistics.valley_decades(rates, group["seconds"].to_numpy(float)))
            row |= _best_intervals(rates, cube(by_width[width], [width], [optimizer], list(rates), seeds)[0, 0])
        rows.append(row)
    table = pd.DataFrame(rows)
    table["optimizer"] = pd.Categorical(table["optimizer"], runs["optimizer"].cat.categories)
    return table


def cube(runs: pd.DataFrame, widths: Sequence[float], optimizers: Sequence[str], rates: Sequence[float], seeds: int) -> Floats:
    """Seconds to the target, (widths, optimizers, rates, seeds): infinite where a trial did not arrive, NaN where it is not known whether
    it would have: missing, failed with an error, or pruned."""
    known = ~runs["outcome"].isin([Outcome.FAILED, Outcome.PRUNED])
    times = runs["seconds"].where(runs["outcome"] == Outcome.REACHED, math.inf).where(known, math.nan)
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
    """A value a run laid out as (widths, optimizers, rates, seeds), `missing` where there is no run."""
    found = np.full((len(widths), len(optimizers), len(rates), seeds), missing, dtype=values.dtype)
    axes: dict[str, list[Any]] = {
        "width": list(widths),
        "optimizer": list(optimizers),
        "learning_rate": list(rates),
        "seed": list(range(seeds)),
    }
    places = np.array([pd.Index(values).get_indexer(runs[name].astype(object)) for name, values in axes.items()])
    inside = (places >= 0).all(axis=0)
    found[tuple(places[:, inside])] = values[inside]
    return found


def _best_intervals(rates: Floats, seconds: Floats) -> dict[str, float]:
    """Intervals of the best rate, its seconds and the valley's width: seeds are resampled, the same for all rates: they are paired."""
    seeds = seconds.shape[1]
    if seeds < statistics.FEWEST_SEEDS or np.isnan(seconds).any():
        return {}
    drawn = statistics.medians(seconds, statistics.draws(seeds))
    least = drawn.min(axis=0)
    found = {
        "best": rates[drawn.argmin(axis=0)][np.isfinite(least)],
        "seconds": least,
        "decades": statistics.valley_decades(rates, drawn),
    }
    ends = {name: statistics.between(values) for name, values in found.items() if len(values)}
    return {f"{name}_{end}": float(value) for name, pair in ends.items() for end, value in zip(("low", "high"), pair, strict=True)}


AROUND = (0.1, 0.215, 0.464, 1.0, 1.47, 2.15)
"""Three steps of a third of a decade below the best rate and two of a sixth above it, where the valley's wall is near."""


def rates_around(runs: pd.DataFrame, optimizer: str) -> tuple[float, ...]:
    """Six rates around the optimizer's best one at the least width.

    Raises:
        StudyError: it arrived nowhere.
    """
    mine = runs[runs["optimizer"] == optimizer]
    found = best(mine[mine["width"] == mine["width"].min()])["best_rate"].dropna() if len(mine) else pd.Series(dtype=float)
    if found.empty:
        raise StudyError(f"{optimizer} reached the target at no rate of that study: there is no best rate to go around")
    return tuple(float(f"{factor * found.iloc[0]:.3g}") for factor in AROUND)


def profile(runs: pd.DataFrame) -> pd.DataFrame:
    """Performance profile: the share of an optimizer's trials that arrive within `ratio` times the least seconds of all.

    The least is over every optimizer and rate of the same width and seed, so that the curve says what a rate drawn from the grid gives.
    Columns: optimizer, ratio, share; after Dolan and More 2002.
    """
    runs = comparable(runs)
    seconds = runs["seconds"].where(runs["outcome"] == Outcome.REACHED, math.inf)
    ratio = seconds / seconds.groupby([runs["width"], runs["seed"]]).transform("min")
    table = pd.DataFrame({"optimizer": runs["optimizer"], "ratio": ratio}).sort_values(["optimizer", "ratio"], ignore_index=True)
    grouped = table.groupby("optimizer", observed=True)
    table["share"] = (grouped.cumcount() + 1) / grouped["ratio"].transform("size")
    return table[table["ratio"] < math.inf].reset_index(drop=True)


def sizes(runs: pd.DataFrame, n: str = "weights", t: str = "seconds") -> pd.DataFrame:
    """One row a (optimizer, rate): the line of time against model size and how well it holds; see `fits.lines`.

    Raises:
        StudyError: fewer than three widths, or runs that must not share a table.
    """
    from study import fits  # scipy takes a second to import

    return fits.lines(comparable(runs), n, t)


def elsewhere(folder: str | Path, runs: pd.DataFrame) -> int:
    """How many trials are stored in the folder that are not among these runs: another machine's."""
    return len({run.id for run in Store(Path(folder)).runs()} - set(runs["id"]))


def warnings(runs: pd.DataFrame, spec: StudySpec | None = None, trained: pd.DataFrame | None = None, elsewhere: int = 0) -> list[str]:
    """What these runs are too few, or too narrow, to say: sentences for the reader of a table.

    Args:
        runs: a study's runs.
        spec: what the study was asked for, to tell what is missing.
        trained: its validation curves, to tell which best rates did not last.
        elsewhere: how many of its trials are another machine's, and none of these runs.
    """
    table = best(runs)
    said = unreached(runs)
    missing = len(spec) - int(runs["id"].isin([trial.id for trial in spec.trials()]).sum()) if spec is not None else 0
    missing = max(0, missing - elsewhere)
    if elsewhere:
        said.append(f"{elsewhere} more trials are stored of another machine: they are in no table with these")
    if missing and spec is not None:
        said.append(f"{missing} of {len(spec)} trials are missing: best rates are of what has ended so far, and the same command goes on")
    said += filter(None, [busy(runs)])
    if kind_unknown(runs):
        machine = ", ".join(sorted(set(runs["machine"])))
        said.append(f"the kind of processor of {machine} was not told apart when these trials were stored: the name may stand for several")
    seeds = int(table["seeds"].max())
    if seeds < statistics.FEWEST_SEEDS:
        said.append(
            f"{counted(seeds, 'seed')} a cell: no interval can be given, and a best rate may be luck; "
            f"take at least --seeds {statistics.FEWEST_SEEDS}"
        )
    elif seeds < statistics.ENOUGH_SEEDS:
        said.append(
            f"{seeds} seeds a cell: an interval from the least to the largest covers in three cases of four; five seeds make it 95 %"
        )
    counts = runs.groupby(["width", "optimizer", "learning_rate"], observed=True)["seed"].nunique()
    uneven = int((counts < seeds).sum())
    if uneven and not missing:
        said.append(f"{uneven} of {len(counts)} cells have fewer seeds than the others")
    software = sorted(set(runs["software"]))
    if len(software) > 1:
        said.append(f"the trials ran on different software ({', '.join(software)}): their step times are not of one kind")
    failed = int((runs["outcome"] == Outcome.FAILED).sum())
    if failed:
        said.append(f"{failed} trials failed with an error and count as not arrived; --retry trains them again")
    edges = table[table["at_edge"]]
    if len(edges) and not missing:
        listed = ", ".join(dict.fromkeys(str(name) for name in edges["optimizer"]))
        said.append(f"the best rate of {listed} is at the grid's edge: a better one may lie beyond")
    if trained is not None and len(trained):
        lost = collapsed(trained, float(runs["target"].iloc[0]))
        for optimizer, rate, seed in lost[lost].index:
            said.append(
                f"{optimizer} at its best rate, {rate:.3g}, collapsed when it was trained again past the target (seed {seed}): "
                "the rate is at the edge of what training survives"
            )
    wide = table[(table["best_high"] / table["best_low"]) > 10]
    if len(wide):
        listed = ", ".join(dict.fromkeys(str(name) for name in wide["optimizer"]))
        said.append(f"the best rate of {listed} is uncertain by more than a factor of ten: more seeds would settle it")
    return said


def busy(runs: pd.DataFrame) -> str:
    """A sentence on runs whose seconds were measured on a machine that was not quiet; empty where there are none."""
    count = int(runs["quiet"].map(lambda quiet: quiet is False).sum())
    what = "the step times were measured" if (runs["mode"] == "array").all() else "they trained"
    which = f"all {count}" if count == len(runs) else f"{count} of {len(runs)}"
    return f"other programs ran while {what}: the seconds of {which} trials may be too long, the steps are right" if count else ""


def kind_unknown(runs: pd.DataFrame) -> bool:
    """Whether runs are among these whose kind of processor an older version did not tell."""
    return bool(runs["processor"].isna().any())


def unreached(runs: pd.DataFrame) -> list[str]:
    """Why no trial reached the target, and what would help; nothing where one did."""
    if runs.empty or (runs["outcome"] == Outcome.REACHED).any():
        return []
    counts = ", ".join(f"{count} {name}" for name, count in sorted(runs["outcome"].value_counts().items()))
    target = float(runs["target"].iloc[0])
    said = f"no trial reached {100 * target:g} % ({counts})"
    seen = runs["best_accuracy"].astype(float)
    if seen.notna().any():
        top = runs.iloc[int(seen.fillna(-1).to_numpy().argmax())]
        said += f"; the best was {top['optimizer']} at {top['learning_rate']:.3g} with {100 * top['best_accuracy']:.1f} %"
    capped = runs[runs["outcome"] == Outcome.CAPPED]
    if len(capped):
        steps = capped["steps"].astype(float).median()
        time_ = capped["step_seconds"].astype(float).median()
        said += f". The budget allowed {steps:,.0f} steps" if steps == steps else ""
        said += f" of {1e3 * time_:.3g} ms" if time_ == time_ else ""
        more = f"--max-steps {2 * steps:.0f}" if runs["max_steps"].notna().any() else f"--cap {2 * runs['cap_seconds'].max():g}"
        said += f": a larger one ({more}), or a lower --target, in another --out, would show more"
    else:
        said += ": other --rates would show more"
    return [said]


def envelope(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a (width, rate): fastest and slowest median seconds over the optimizers, whose they are, and how many arrived.

    A rate at which an optimizer did not arrive counts as the cap, as in the published figure.
    """
    table = cells(runs)
    cap = float(budget(runs).max())
    table["seconds"] = table["seconds"].clip(upper=cap)
    by_rate = table.groupby(["width", "rate"], as_index=False)
    fastest = table.loc[by_rate["seconds"].idxmin()["seconds"]].reset_index(drop=True)
    slowest = table.loc[by_rate["seconds"].idxmax()["seconds"]].reset_index(drop=True)
    counts = (
        table.assign(arrives=table["steps"] < math.inf)
        .groupby(["width", "rate"], as_index=False)
        .agg(arrived=("arrives", "sum"), optimizers=("arrives", "size"))
    )
    return pd.DataFrame(
        {
            "rate": fastest["rate"],
            "fastest_seconds": fastest["seconds"],
            "fastest_optimizer": fastest["optimizer"].astype(object).where(counts["arrived"] > 0),
            "slowest_seconds": slowest["seconds"],
            "slowest_optimizer": slowest["optimizer"].astype(object).where(slowest["seconds"] < cap),
            "arrived": counts["arrived"],
            "optimizers": counts["optimizers"],
            "width": fastest["width"],
        }
    )


def costs(runs: pd.DataFrame, spent: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs would have cost one by one, what they did cost, and the ratio.

    `one_by_one_seconds`: arrivals at their seconds, every other trial at its whole budget, as the published procedure spends it;
    `one_by_one_stopping_seconds`: the same with diverged and stuck trials ended when they are found out. `spent_seconds` is the wall time
    of the processes that ran the study: calibration, compilation, training, evaluation and all that lay between; `cost_ratio` is the first
    over `spent_seconds`.

    Args:
        runs: a study's runs.
        spent: the rows of its `spent.jsonl`.
    """
    taken, whole = runs["seconds"].astype(float), budget(runs)
    reached, broken = runs["outcome"] == Outcome.REACHED, runs["outcome"].isin([Outcome.DIVERGED, Outcome.STUCK])
    one_by_one = float(taken.where(reached, whole).sum())
    seconds = sum(sum(row["seconds"].values()) for row in spent)
    return {
        "one_by_one_seconds": one_by_one,
        "one_by_one_stopping_seconds": float(taken.where(reached | broken, whole).sum()),
        "spent_seconds": seconds,
        "cost_ratio": one_by_one / seconds if seconds else None,
    }


def hindsight(runs: pd.DataFrame, checks: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row an optimizer: what `prune="hopeless"` would have done to trials that were run without it.

    Columns: trials, steps; pruned, the trials given up early; saved, the steps they would not have taken; lost, those that arrived.

    Args:
        runs: a study's runs; those that reached the target or were capped are looked at, the others cost next to nothing.
        checks: what `Store.checks` gives.
    """
    looked = runs[runs["outcome"].isin([Outcome.REACHED, Outcome.CAPPED]) & runs["id"].isin(list(checks))]
    last = (budget(looked) / looked["step_seconds"] / looked["check_every"] + 1e-9).astype(int)
    rows = []
    for id_, optimizer, steps, outcome, target, every, end in zip(
        *(looked[name] for name in ("id", "optimizer", "steps", "outcome", "target", "check_every")), last, strict=True
    ):
        seen = checks[id_]["accuracy"]
        given_up = next((n for n in range(1, len(seen)) if hopeless(seen[:n], end, target)), None)
        saved = steps - given_up * every if given_up else 0
        rows.append((optimizer, steps, given_up is not None, saved, given_up is not None and outcome == Outcome.REACHED))
    table = pd.DataFrame(rows, columns=["optimizer", "steps", "pruned", "saved", "lost"])
    table["optimizer"] = pd.Categorical(table["optimizer"], runs["optimizer"].cat.categories)
    grouped = table.assign(trials=1).groupby("optimizer", observed=True)[["trials", "steps", "pruned", "saved", "lost"]]
    return grouped.sum().astype(int).reset_index()


TABLES = {"valley": valley, "cells": cells, "best": best, "envelope": envelope, "profile": profile}
"""Every table that is written, by the name of its file; beside them the fits of sizes, where there are sizes to compare."""

SIZE_TABLES = {"sizes": "seconds", "sizes-steps": "steps", "sizes-step-time": "step_seconds"}
"""The fits that are written, by the name of the file, and what they fit."""


def write(folder: str | Path, out: str | Path | None = None, by: str = "weights", machine: str | None = None) -> list[Path]:
    """Rebuild `tables/*.csv` from the stored runs of a study; return the paths.

    Args:
        folder: the study's folder.
        out: where to; `folder`/tables where None.
        by: what a model's size is measured by, see `sizes`.
        machine: whose runs, see `load`.

    Raises:
        StudyError: no runs, runs that must not share a table, or an unknown measure of size.
    """
    runs = load(folder, machine)
    refuse_links(Path(folder))
    out = Path(out) if out is not None else Path(folder) / "tables"
    made = {name: make(runs) for name, make in TABLES.items()}
    if runs["width"].nunique() >= statistics.FEWEST_SIZES:
        made |= {name: sizes(runs, by, measure) for name, measure in SIZE_TABLES.items() if runs[measure].notna().any()}
    out.mkdir(parents=True, exist_ok=True)
    for name, table in made.items():
        table.to_csv(out / f"{name}.csv", index=False, float_format="%.6g")
    return [out / f"{name}.csv" for name in made]
