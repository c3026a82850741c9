"""The published study's claims, held against stored studies: pure functions from tables to verdicts.

Every verdict stands on an interval: of the seeds (by resampling them), of a share (Wilson's), and of what is missing (as if it went one
way, as if it went the other). It is `undecided` where the interval holds the threshold, so that taking data away only ever undecides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study import statistics, tables
from study.errors import StudyError
from study.record import Outcome
from study.spec import OPTIMIZERS, StudySpec
from study.statistics import Floats
from study.store import Store

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"

MAJORITY = 0.5
"""Most means more than half."""
DECADES, PER_DECADE = 5.0, 2.0
"""A share of rates depends on which were tried: a grid must span so many decades (the published one: eight), with so many rates in each."""
LONG_CAP = 10.0
"""A trial that ran out of time counts as failed where the cap is at least so many times the fastest time (the published one: 17)."""
HOLE = 1.0
"""One rate that fails inside a band may be a seed's bad luck; two neighbours are a hole."""
MAGNITUDE = 10.0
"""An order of magnitude."""
UNION = 0.95
"""Share of the rates from 0.001 to 30: one in twenty may be a seed's bad luck."""
UNION_RATES = (0.001, 30.0)
REASONABLE = 3.0
"""Times the fastest optimizer's best time. The published times are 7.0 to 12.4 s for five optimizers, within 1.8, and 83.7 s, 12 times."""
SCATTER = 1.5
"""A factor either way on a ratio of two times that stand on fewer than three seeds: what one seed differs from another by."""
DROP = 0.02
"""A major drop of validation accuracy: two points are eight standard deviations of an accuracy of 97 % on 5,000 images."""
NEAR_TARGET = 0.05
"""A drop counts once the accuracy has come this near to the target; before, it is still learning."""
SURVIVES = 0.9
"""Share of the sizes: one in ten may be a seed's bad luck."""
SIZE_RANGE, FEWEST_WIDTHS = 4.0, 5
"""A claim about sizes needs the largest so many times as wide as the smallest (the published ones 9.75), and so many widths."""
TRANSFERS = 1.25
"""The best rate at the smallest size is the best at the largest if it takes there at most this factor of the least time."""
ENDS = 1.5
"""Widths within this factor of the smallest, or of the largest, stand for it: single ones scatter."""
ABOVE_RATE, RATE_RANGE = 1e-3, 5.0
"""The claim is about rates from 0.001 up, and needs them to span this factor."""
ENOUGH_ARRIVED = 0.8
"""Share of the trials at a rate that must have arrived for the shape of the rest to be judged."""


@dataclass(frozen=True)
class Evidence:
    """A study as the claims see it: what was asked for, its runs and its validation curves."""

    spec: StudySpec
    runs: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: the statistic with its interval, the threshold that it is held against, and the reason in a sentence."""

    id: str
    verdict: str
    statistic: float
    low: float
    high: float
    threshold: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; a number that there is not is null."""
        return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Claim:
    """A claim in words, what the published data say about it, and the function that judges it."""

    id: str
    text: str
    published: str
    judge: Callable[[Sequence[Evidence]], Verdict]


CLAIMS: dict[str, Claim] = {}


def claim(id: str, text: str, published: str) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    """Put a judging function among the `CLAIMS`."""

    def put(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
        CLAIMS[id] = Claim(id, text, published, lambda studies: judge(id, studies))
        return judge

    return put


def evidence(folder: str | Path) -> Evidence:
    """A stored study's evidence; rows outside its present grid are left out.

    Raises:
        StudyError: the folder holds no study, or rows that must not share a table.
    """
    spec = Store(Path(folder)).spec()
    runs = tables.load(folder)
    if len(runs):
        runs = tables.comparable(runs[runs["id"].isin([trial.id for trial in spec.trials()])])
    return Evidence(spec, runs, tables.curves(folder))


def verdicts(studies: Sequence[Evidence]) -> list[Verdict]:
    """Every claim's verdict on these studies together: a claim about rates takes the largest grid, one about sizes the most widths."""
    return [CLAIMS[id_].judge(studies) for id_ in CLAIMS]


def held(id: str, statistic: float, low: float, high: float, threshold: float, reason: str, above: bool = True) -> Verdict:
    """The verdict where the claim is that the statistic lies above (or below) the threshold."""
    over, under = low > threshold, high < threshold
    verdict = (HOLDS if above else FAILS) if over else (FAILS if above else HOLDS) if under else UNDECIDED
    return Verdict(id, verdict, float(statistic), float(low), float(high), threshold, reason)


def unsaid(id: str, threshold: float, reason: str) -> Verdict:
    """The verdict where there is nothing to judge by."""
    return Verdict(id, UNDECIDED, math.nan, math.nan, math.nan, threshold, reason)


# Grids of rates


@dataclass(frozen=True)
class Grid:
    """Seconds to the target of one width's trials, (optimizers, rates, seeds), infinite or NaN as in `tables.cube`.

    In `judged` a trial that ran out of too short a cap is not known either; it could not have been a best one all the same.
    """

    optimizers: tuple[str, ...]
    rates: Floats
    seconds: Floats
    judged: Floats

    @property
    def missing(self) -> int:
        """Trials of which nothing is known."""
        return int(np.isnan(self.seconds).sum())

    @property
    def seeds(self) -> int:
        """Seeds of each cell."""
        return int(self.seconds.shape[-1])

    @property
    def state(self) -> NDArray[np.int64]:
        """(optimizers, rates): 1 where more than half of the seeds arrive; -1 where they do not; 0 where too many are missing."""
        return states(self.judged)

    @property
    def all_six(self) -> bool:
        """Whether every optimizer of the published study is there."""
        return set(self.optimizers) == set(OPTIMIZERS)


def states(seconds: Floats) -> NDArray[np.int64]:
    """1, -1 or 0 where the median over the last axis is finite, infinite, or hangs on what is missing."""
    seeds = seconds.shape[-1]
    works = 2 * np.isfinite(seconds).sum(axis=-1) > seeds
    fails = 2 * np.isposinf(seconds).sum(axis=-1) >= seeds
    return np.asarray(works.astype(np.int64) - fails, np.int64)


def grid_of(studies: Sequence[Evidence]) -> Grid | None:
    """The largest grid that is wide and dense enough, at width 1 or the first; None if there is none."""
    found: list[Grid] = []
    for study in studies:
        rates = np.array(sorted(study.spec.rates), float)
        decades = math.log10(rates[-1] / rates[0])
        if decades < DECADES or len(rates) - 1 < PER_DECADE * decades or len(study.spec.optimizers) < 2 or study.runs.empty:
            continue
        width = 1.0 if 1.0 in study.spec.widths else study.spec.widths[0]
        runs = study.runs
        arrived = runs["outcome"] == Outcome.REACHED
        long = tables.budget(runs).max() >= LONG_CAP * runs["seconds"][arrived].min()
        seconds, judged = (
            tables.cube(some, [width], study.spec.optimizers, list(rates), study.spec.seeds)[0]
            for some in (runs, runs if long else runs[runs["outcome"] != Outcome.CAPPED])
        )
        found.append(Grid(study.spec.optimizers, rates, seconds, judged))
    return max(found, key=lambda grid: (len(grid.optimizers), len(grid.rates), grid.seeds), default=None)


NO_GRID = f"no study tries several optimizers at rates over {DECADES:g} decades, {PER_DECADE:g} in each: such as `run article`"


def over_seeds(grid: Grid, of: Callable[[Floats], float]) -> tuple[float, float, float]:
    """A ratio of times with its interval: of the medians (optimizers, rates), seeds resampled; with too few, `SCATTER` either way."""
    value = of(np.median(grid.seconds, axis=-1))
    if grid.seeds < statistics.FEWEST_SEEDS:
        return value, value / SCATTER, value * SCATTER
    drawn = statistics.medians(grid.seconds, statistics.draws(grid.seeds, 400))
    low, high = statistics.between(np.array([of(drawn[..., i]) for i in range(drawn.shape[-1])]))
    return value, float(low), float(high)


def ratio(a: float, b: float) -> float:
    """a / b, where both may be infinite: then neither is there, and the ratio is infinite."""
    return a / b if math.isfinite(b) else math.inf


def few(grid: Grid) -> str:
    """How far the seeds carry, in words."""
    if grid.seeds >= statistics.FEWEST_SEEDS:
        return f"{grid.seeds} seeds"
    return f"{grid.seeds} seed{'s' if grid.seeds > 1 else ''} only, so a ratio is taken to be uncertain by {SCATTER:g} either way"


def gone(grid: Grid) -> str:
    """How many trials are missing, in words."""
    short = int(np.isnan(grid.judged).sum()) - grid.missing
    parts = [f"{grid.missing} of {grid.seconds.size} trials are missing"] if grid.missing else []
    return " and ".join([*parts, *([f"{short} ran out of a cap too short to tell"] if short else [])])


def also(grid: Grid) -> str:
    """The same as the end of a sentence."""
    return f"; {gone(grid)}" if gone(grid) else ""


@claim("majority-fails", "for every optimizer, most learning rates fail to train the model", "33 to 44 of 48 rates fail")
def majority_fails(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The least share of failing rates over the optimizers, above a half."""
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, MAJORITY, NO_GRID)
    count = len(grid.rates)
    failing, possible = (grid.state == -1).sum(axis=1), (grid.state <= 0).sum(axis=1)
    lows = [statistics.share_interval(int(n), count)[0] for n in failing]
    highs = [statistics.share_interval(int(n), count)[1] for n in possible]
    least = int(np.argmin(failing))
    reason = f"{grid.optimizers[least]} fails at the fewest rates, {failing[least]} of {count}{also(grid)}"
    found = held(id, failing[least] / count, min(lows), min(highs), MAJORITY, reason)
    if found.verdict == HOLDS and not grid.all_six:
        return held(id, found.statistic, min(*lows, MAJORITY), min(highs), MAJORITY, f"{reason}; not all six optimizers were tried")
    return found


def holes(state: NDArray[np.int64]) -> tuple[int, int]:
    """The most neighbouring rates that fail between two that work: at least, whatever is missing, and at most."""

    def widest(inside: NDArray[np.bool_], failing: NDArray[np.bool_]) -> int:
        places = np.flatnonzero(inside)
        runs, now = [0], 0
        for i in range(places[0], places[-1] + 1) if len(places) else ():
            now = now + 1 if failing[i] else 0
            runs.append(now)
        return max(runs)

    least = widest(state == 1, state == -1)
    possible = np.flatnonzero(state >= 0)
    most = 0
    for a, start in enumerate(possible):
        for end in possible[a + 1 :]:
            if (state[start + 1 : end] == 1).any():
                break
            most = max(most, int(end - start - 1))
    return least, most


@claim(
    "valley",
    "each optimizer has one band of rates that work; below it training never gets there, above it it is unstable",
    "one band each, 4 to 15 rates wide",
)
def valley(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The widest hole in any optimizer's band, in rates, at most one; and the band ends inside the grid."""
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, HOLE, NO_GRID)
    found = [holes(row) for row in grid.state]
    low, high = max(least for least, _ in found), max(most for _, most in found)
    never = [name for name, row in zip(grid.optimizers, grid.state, strict=True) if (row == -1).all()]
    edge = [name for name, row in zip(grid.optimizers, grid.state, strict=True) if row[0] != -1 or row[-1] != -1]
    unknown = [name for name, row in zip(grid.optimizers, grid.state, strict=True) if not (row == 1).any() and name not in never]
    worst = grid.optimizers[int(np.argmax([least for least, _ in found]))]
    reason = f"the widest hole in a band is {low} rate(s), {worst}'s" if low else "no optimizer's band has a hole"
    if never:
        return Verdict(id, FAILS if grid.seeds >= statistics.FEWEST_SEEDS else UNDECIDED, low, low, high, HOLE, f"{never[0]} works nowhere")
    if low > HOLE:
        enough = grid.seeds >= statistics.FEWEST_SEEDS
        return Verdict(id, FAILS if enough else UNDECIDED, low, low, high, HOLE, reason if enough else f"{reason}; {few(grid)}")
    if edge:
        reason = f"the band of {', '.join(edge)} reaches the grid's edge, or may{also(grid)}"
        return Verdict(id, UNDECIDED, low, low, high, HOLE, reason)
    if high > HOLE or unknown or not grid.all_six:
        why = gone(grid) or "not all six optimizers were tried"
        return Verdict(id, UNDECIDED, low, low, high, HOLE, f"{reason}; {why}")
    return Verdict(id, HOLDS, low, low, high, HOLE, f"{reason}, and every band ends inside the grid")


@claim("no-universal-rate", "no learning rate works for all optimizers", "at most 3 of 6 optimizers at any one rate")
def no_universal_rate(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The most optimizers that work at any one rate, fewer than all six."""
    threshold = len(OPTIMIZERS) - 0.5
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, threshold, NO_GRID)
    working, possible = (grid.state == 1).sum(axis=0), (grid.state >= 0).sum(axis=0)
    absent = len(OPTIMIZERS) - len(grid.optimizers)
    # An optimizer that was not tried may work everywhere, unless another is known to fail there.
    high = int((possible + absent).max()) if (possible == len(grid.optimizers)).any() else int(possible.max())
    top = int(np.argmax(working))
    reason = f"at {grid.rates[top]:.3g} {working[top]} of {len(grid.optimizers)} optimizers work, nowhere more{also(grid)}"
    return held(id, float(working[top]), float(working[top]), high, threshold, reason, above=False)


@claim(
    "order-of-magnitude",
    "among rates that work, training time varies by an order of magnitude",
    "from 7.0 s at best to the cap of 120 s",
)
def order_of_magnitude(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The slowest median time over the fastest, of all cells that work, above ten."""
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, MAGNITUDE, NO_GRID)
    known = ~np.isnan(grid.judged).any(axis=-1)
    if not (grid.state[known] == 1).any():
        return unsaid(id, MAGNITUDE, f"no cell that is known works; {gone(grid)}")

    def spread(median: Floats) -> float:
        times = median[known & np.isfinite(median)]
        return float(times.max() / times.min()) if len(times) else 1.0

    value, low, high = over_seeds(grid, spread)
    reason = f"the slowest rate that works takes {value:.1f} times the fastest ({few(grid)})"
    if not known.all():
        high, reason = math.inf, f"{reason}; {gone(grid)}"
    return held(id, value, low, high, MAGNITUDE, reason)


@claim("wide-union", "rates from 0.001 to 30 succeed with at least one optimizer", "4.6e-5 to 46 with at least one")
def wide_union(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The share of the rates from 0.001 to 30 at which an optimizer works, at least 95 %."""
    grid = grid_of(studies)
    low_rate, high_rate = UNION_RATES
    if grid is None or grid.rates[0] > low_rate or grid.rates[-1] < high_rate:
        return unsaid(id, UNION, NO_GRID if grid is None else f"the grid does not reach from {low_rate:g} to {high_rate:g}")
    inside = (grid.rates >= low_rate * 0.999) & (grid.rates <= high_rate * 1.001)
    working, possible = (grid.state[:, inside] == 1).any(axis=0), (grid.state[:, inside] >= 0).any(axis=0)
    value, high = float(working.mean()), float(possible.mean())
    without = grid.rates[inside][np.logical_not(working)]
    reason = f"{int(working.sum())} of {int(inside.sum())} rates work with some optimizer"
    reason += f"; not {', '.join(f'{rate:.3g}' for rate in without[:4])}{' ...' if len(without) > 4 else ''}" if len(without) else ""
    if not grid.all_six:
        high, reason = 1.0, f"{reason}; not all six optimizers were tried"
    elif grid.seeds < statistics.FEWEST_SEEDS and value < UNION <= value + 2 / len(working):
        high, reason = 1.0, f"{reason}; {grid.seeds} seed(s), and two lucky trials would decide otherwise"
    return held(id, value, value, high, UNION - 1e-9, reason)


def bests(median: Floats) -> Floats:
    """The least seconds of each optimizer over the rates."""
    return np.asarray(median.min(axis=-1), float)


@claim(
    "all-but-rmsprop",
    "at its best rate every optimizer but RMSProp converges in reasonable time",
    "7.0 to 12.4 s; RMSProp 83.7 s",
)
def all_but_rmsprop(id: str, studies: Sequence[Evidence]) -> Verdict:
    """RMSProp's best time over the fastest optimizer's, above three, and every other's below."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return unsaid(id, REASONABLE, NO_GRID if grid is None else "not all six optimizers were tried")
    if grid.missing:
        return unsaid(id, REASONABLE, f"{gone(grid)}, and any of them may be a best one")
    if not np.isfinite(bests(np.median(grid.seconds, axis=-1))).any():
        return unsaid(id, REASONABLE, "no optimizer works at any rate")
    rmsprop = grid.optimizers.index("rmsprop")
    rest = [i for i in range(len(grid.optimizers)) if i != rmsprop]
    value, low, high = over_seeds(grid, lambda median: ratio(bests(median)[rmsprop], bests(median).min()))
    slow, slow_low, slow_high = over_seeds(grid, lambda median: ratio(float(bests(median)[rest].max()), bests(median).min()))
    reason = f"RMSProp's best time is {value:.1f} times the fastest optimizer's, the slowest of the others' {slow:.1f} ({few(grid)})"
    verdict = HOLDS if low > REASONABLE > slow_high else FAILS if high < REASONABLE or slow_low > REASONABLE else UNDECIDED
    return Verdict(id, verdict, value, low, high, REASONABLE, reason)


@claim("adam-fastest", "Adam learns the fastest", "Adam 8.3 s; SGD 7.0 s, Adagrad 7.8 s")
def adam_fastest(id: str, studies: Sequence[Evidence]) -> Verdict:
    """Adam's best time over the best of all others', below one."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return unsaid(id, 1.0, NO_GRID if grid is None else "not all six optimizers were tried")
    if grid.missing:
        return unsaid(id, 1.0, f"{gone(grid)}, and any of them may be a best one")
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    median = bests(np.median(grid.seconds, axis=-1))
    if not np.isfinite(median).any():
        return unsaid(id, 1.0, "no optimizer works at any rate")
    value, low, high = over_seeds(grid, lambda median: ratio(bests(median)[adam], float(bests(median)[rest].min())))
    other = rest[int(np.argmin(median[rest]))]
    if math.isinf(median[other]):
        value = low = high = 0.0
    reason = f"at their best rates Adam takes {median[adam]:.3g} s, {grid.optimizers[other]} {median[other]:.3g} s ({few(grid)})"
    return held(id, value, low, high, 1.0, reason, above=False)


def drop(accuracy: Floats, target: float) -> float:
    """The largest fall below the best accuracy so far, once within `NEAR_TARGET` of the target; 0 if it never comes there."""
    near = np.flatnonzero(accuracy >= target - NEAR_TARGET)
    if not len(near):
        return 0.0
    after = accuracy[near[0] :]
    return float((np.maximum.accumulate(after) - after).max())


@claim(
    "adam-stable",
    "Adam's validation accuracy has no major drop, unlike the others",
    "a figure; its data are not published",
)
def adam_stable(id: str, studies: Sequence[Evidence]) -> Verdict:
    """Adam's largest drop of validation accuracy at its best rate, below two points, and that of most others above."""
    with_curves = [study for study in studies if len(study.curves) and "adam" in study.spec.optimizers]
    if not with_curves:
        return unsaid(id, DROP, "no study holds validation curves with Adam's among them")
    study = max(with_curves, key=lambda study: (study.curves["seed"].nunique(), study.curves["optimizer"].nunique(), len(study.curves)))
    drops = {
        str(name): np.array([drop(curve["accuracy"].to_numpy(float), study.spec.target) for _, curve in mine.groupby("seed")])
        for name, mine in study.curves.groupby("optimizer")
    }
    whole = {name: values for name, values in drops.items() if len(values) == study.spec.seeds >= statistics.FEWEST_SEEDS}
    shown = ", ".join(f"{name} {100 * np.median(values):.1f}" for name, values in drops.items())
    reason = f"largest drops in points, medians over the seeds: {shown}"
    value = float(np.median(drops["adam"])) if "adam" in drops else math.nan
    if "adam" not in whole:
        seeds = study.curves["seed"].nunique()
        return Verdict(id, UNDECIDED, value, math.nan, math.nan, DROP, f"{reason}; Adam has curves of {seeds} seed(s)")
    ends = {name: [float(end[0]) for end in statistics.median_intervals(values[None])] for name, values in whole.items()}
    low, high = ends.pop("adam")
    others = len(OPTIMIZERS) - 1
    dropping, steady = sum(low_ > DROP for low_, _ in ends.values()), sum(high_ < DROP for _, high_ in ends.values())
    if high < DROP and dropping > others / 2:
        verdict = HOLDS
    elif low > DROP or steady > others / 2:
        verdict = FAILS
    else:
        verdict = UNDECIDED
    return Verdict(id, verdict, value, low, high, DROP, f"{reason}; {dropping} of {others} others surely drop, {steady} surely do not")


@claim("adam-wide", "Adam has a relatively wide range of working rates", "15 of 48 rates; the others 4 to 13")
def adam_wide(id: str, studies: Sequence[Evidence]) -> Verdict:
    """Decades of working rates, Adam's less the median of the others', above zero."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return unsaid(id, 0.0, NO_GRID if grid is None else "not all six optimizers were tried")
    span = statistics.spans(grid.rates)
    sure, possible = (grid.state == 1) @ span, (grid.state >= 0) @ span
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    step = float(np.median(span))  # an edge is known to a step of the grid
    low = float(sure[adam] - np.median(possible[rest])) - step
    high = float(possible[adam] - np.median(sure[rest])) + step
    counts = ", ".join(f"{name} {value:.2f}" for name, value in zip(grid.optimizers, sure, strict=True))
    reason = f"decades of working rates: {counts}{also(grid)}"
    return held(id, float(sure[adam] - np.median(sure[rest])), low, high, 0.0, reason)


# Sizes


@dataclass(frozen=True)
class Sizes:
    """Seconds to the target of one optimizer's trials, (widths, rates, seeds), and its runs."""

    optimizer: str
    widths: Floats
    rates: Floats
    seconds: Floats
    runs: pd.DataFrame


def sizes_of(studies: Sequence[Evidence]) -> Sizes | None:
    """The study of the most widths, Adam's part of it if it has one; None if none spans enough."""
    found: list[Sizes] = []
    for study in studies:
        widths, rates = np.array(sorted(study.spec.widths), float), np.array(sorted(study.spec.rates), float)
        if len(widths) < FEWEST_WIDTHS or widths[-1] < SIZE_RANGE * widths[0] or study.runs.empty:
            continue
        optimizer = "adam" if "adam" in study.spec.optimizers else study.spec.optimizers[0]
        seconds = tables.cube(study.runs, list(widths), [optimizer], list(rates), study.spec.seeds)[:, 0]
        found.append(Sizes(optimizer, widths, rates, seconds, study.runs[study.runs["optimizer"] == optimizer]))
    return max(found, key=lambda sizes: (len(sizes.widths), sizes.seconds.shape[-1], len(sizes.rates)), default=None)


NO_SIZES = f"no study has {FEWEST_WIDTHS} widths, the largest {SIZE_RANGE:g} times the smallest: such as `run sizes`"


@claim("linear-size", "at a fixed rate, time grows linearly with model size", "R^2 0.74 to 0.98 at six rates")
def linear_size(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The share of the rates at which time grows and a line is enough, above a half."""
    sizes = sizes_of(studies)
    if sizes is None:
        return unsaid(id, MAJORITY, NO_SIZES)
    by_rate: dict[float, Any] = {row["rate"]: row for row in tables.sizes(sizes.runs).to_dict("records")}
    yes = no = 0
    shapes = []
    for j, rate in enumerate(sizes.rates):
        times = sizes.seconds[:, j]
        row = by_rate.get(float(rate))
        if np.isnan(times).any() or np.isfinite(times).mean() < ENOUGH_ARRIVED or row is None or not isinstance(row["shape"], str):
            shapes.append(f"{rate:g} not known")
            continue
        linear = row["shape"] == "line" and row["k_low"] > 0
        yes, no = yes + linear, no + (not linear)
        shapes.append(f"{rate:g} {'line' if linear else row['shape'] if row['shape'] != 'line' else 'no growth'}")
    count = len(sizes.rates)
    low, high = statistics.share_interval(yes, count)[0], statistics.share_interval(count - no, count)[1]
    value = yes / (yes + no) if yes + no else math.nan
    return held(id, value, low, high, MAJORITY, f"shape of time against weights at each rate of {sizes.optimizer}: {', '.join(shapes)}")


@claim(
    "rate-survives-scaling",
    "the same rate trains every size from 1x to 10x",
    "36 of 36 sizes at five rates, 31 of 36 at 0.01",
)
def rate_survives_scaling(id: str, studies: Sequence[Evidence]) -> Verdict:
    """Of the rates that train the smallest size, the share of all sizes that they train, above 90 %."""
    sizes = sizes_of(studies)
    if sizes is None:
        return unsaid(id, SURVIVES, NO_SIZES)
    state = states(sizes.seconds)
    if (state[0] == 0).any():
        return unsaid(id, SURVIVES, "trials of the smallest size are missing")
    starting = state[0] == 1
    if not starting.any():
        return unsaid(id, SURVIVES, "no rate trains the smallest size")
    larger = state[1:, starting]
    low = statistics.share_interval(int((larger == 1).sum()), larger.size)[0]
    high = statistics.share_interval(int((larger >= 0).sum()), larger.size)[1]
    worst = int(np.argmin((larger == 1).sum(axis=0)))
    reason = f"{int((larger == 1).sum())} of {larger.size} larger cells of the {int(starting.sum())} rates that train the smallest"
    reason += f"; fewest at {sizes.rates[starting][worst]:g}, {int((larger[:, worst] == 1).sum())} of {len(larger)} sizes"
    return held(id, float((larger == 1).mean()), low, high, SURVIVES, reason)


@claim(
    "best-rate-transfers",
    "the best rates at 1x are the best at 10x",
    "0.0005, 0.001 and 0.00146 at both",
)
def best_rate_transfers(id: str, studies: Sequence[Evidence]) -> Verdict:
    """At the largest size, the time of the rate that is best at the smallest over the least time, below 1.25."""
    sizes = sizes_of(studies)
    if sizes is None or len(sizes.rates) < 2:
        return unsaid(id, TRANSFERS, NO_SIZES if sizes is None else "only one rate")
    small, large = sizes.widths <= ENDS * sizes.widths[0], sizes.widths * ENDS >= sizes.widths[-1]
    ends = [sizes.seconds[mask].transpose(1, 0, 2) for mask in (small, large)]  # (rates, widths, seeds)
    if any(np.isnan(end).any() for end in ends):
        return unsaid(
            id, TRANSFERS, f"{sum(int(np.isnan(end).sum()) for end in ends)} trials of the smallest and largest sizes are missing"
        )
    if min(end.shape[1] * end.shape[2] for end in ends) < statistics.FEWEST_SEEDS:
        return unsaid(id, TRANSFERS, "too few trials of the smallest or the largest sizes")
    flat = [end.reshape(len(sizes.rates), -1) for end in ends]
    medians = [np.median(values, axis=1) for values in flat]
    if not all(np.isfinite(values).any() for values in medians):
        return unsaid(id, TRANSFERS, "no rate works at the smallest or at the largest sizes")
    drawn = [statistics.medians(values, statistics.draws(values.shape[1])) for values in flat]

    def penalty(at_small: Floats, at_large: Floats) -> Floats:
        chosen = np.take_along_axis(at_large, at_small.argmin(axis=0)[None], axis=0)[0]
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(chosen), chosen / at_large.min(axis=0), math.inf)

    value = float(penalty(medians[0][:, None], medians[1][:, None])[0])
    low, high = statistics.between(penalty(*drawn))
    best = [float(sizes.rates[int(np.argmin(values))]) for values in medians]
    reason = (
        f"best at the smallest sizes {best[0]:g}, at the largest {best[1]:g}; the first takes {value:.2f} times the second's time there"
    )
    return held(id, value, float(low), float(high), TRANSFERS + 1e-9, reason, above=False)


@claim(
    "variance-above-1e-3",
    "above 0.001, a larger rate takes longer and scatters more about the line",
    "k 2.2e-6 at 0.001, 4.9e-6 s at 0.005; R^2 0.95, 0.85, 0.74",
)
def variance_above(id: str, studies: Sequence[Evidence]) -> Verdict:
    """The largest rate's median time, and its scatter about the line, each over those of the least rate from 0.001 up: both above one."""
    sizes = sizes_of(studies)
    if sizes is None:
        return unsaid(id, 1.0, NO_SIZES)
    above = np.flatnonzero(sizes.rates >= ABOVE_RATE * 0.999)
    if len(above) < 2 or sizes.rates[above[-1]] < RATE_RANGE * sizes.rates[above[0]]:
        return unsaid(id, 1.0, f"the rates from {ABOVE_RATE:g} up span less than a factor of {RATE_RANGE:g}")
    # The largest rate at which most sizes train: beyond it there is no time to compare.
    working = [j for j in above if not np.isnan(sizes.seconds[:, j]).any() and np.isfinite(sizes.seconds[:, j]).mean() >= ENOUGH_ARRIVED]
    if np.isnan(sizes.seconds[:, above]).any():
        return unsaid(id, 1.0, f"{int(np.isnan(sizes.seconds[:, above]).sum())} trials at rates from {ABOVE_RATE:g} up are missing")
    if len(working) < 2 or sizes.rates[working[-1]] < RATE_RANGE * sizes.rates[working[0]]:
        return unsaid(id, 1.0, f"too few trials arrived at the rates from {ABOVE_RATE:g} up")
    first, last = sizes.seconds[:, working[0]], sizes.seconds[:, working[-1]]
    n = sizes.runs.groupby("width")["weights"].first().reindex(sizes.widths).to_numpy(float)

    def compared(widths: NDArray[np.int64]) -> tuple[float, float]:
        sides = []
        for times in (first[widths], last[widths]):
            x, y = np.repeat(n[widths], times.shape[1]), times.ravel()
            fine = np.isfinite(y)
            line = np.polyfit(x[fine] / n.max(), y[fine], 1)
            sides.append((float(np.median(y)), float(np.std(y[fine] - np.polyval(line, x[fine] / n.max())))))
        (time, scatter), (time_above, scatter_above) = sides
        return ratio(time_above, time), ratio(scatter_above, max(scatter, 1e-12))

    slower, wider = compared(np.arange(len(n)))
    drawn = [compared(widths) for widths in statistics.draws(len(n), 400) if len(set(widths)) > 2]
    low, high = statistics.between(np.array([min(pair) for pair in drawn]))
    ends = f"{sizes.rates[working[0]]:g} to {sizes.rates[working[-1]]:g}"
    reason = f"from {ends}: {slower:.2f} times the time, {wider:.2f} times the scatter about the line"
    return held(id, min(slower, wider), float(low), float(high), 1.0, reason)


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts beside the published numbers: claim, verdict, statistic, low, high, threshold, published, reason."""
    return pd.DataFrame([{"claim": v.id, "says": CLAIMS[v.id].text, **asdict(v), "published": CLAIMS[v.id].published} for v in found]).drop(
        columns="id"
    )


def judge(folders: Sequence[str | Path]) -> list[Verdict]:
    """Every claim's verdict on the studies in these folders.

    Raises:
        StudyError: no folder, or one that holds no study.
    """
    if not folders:
        raise StudyError("name at least one study's folder")
    return verdicts([evidence(folder) for folder in folders])
