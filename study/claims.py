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

from study import contest, cycles, statistics, tables
from study.errors import StudyError
from study.record import Outcome
from study.spec import OPTIMIZERS, StudySpec
from study.statistics import Floats
from study.store import Store
from study.words import counted

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"

MAJORITY = 0.5
"""Most means more than half."""
DECADES, PER_DECADE = 5.0, 2.0
"""A share of rates depends on which were tried: a grid must span so many decades (the published one: eight), with so many rates in each."""
LONG_CAP = 15.0
"""A trial that ran out of time counts as failed where the cap is at least so many times the fastest time (the published one: 17); it is
more than `MAGNITUDE`, so that a cap hides no slow rate that works."""
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
"""A factor either way at least on a ratio of two times that stand on fewer than `ENOUGH_SEEDS` seeds: what one seed differs from another
by."""
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
class Rows:
    """What a folder holds beside a study: the table of a `contest`, or the rows of the case study of `cycles`."""

    kind: str
    table: pd.DataFrame


Known = Sequence[Evidence | Rows]
"""All that the claims are held against."""


def studies_in(known: Known) -> list[Evidence]:
    """The studies."""
    return [one for one in known if isinstance(one, Evidence)]


def rows_of(known: Known, kind: str) -> pd.DataFrame | None:
    """The rows of this kind, those with most seeds if there are several; None if there are none."""
    found = [one.table for one in known if isinstance(one, Rows) and one.kind == kind]
    return max(found, key=lambda table: (table["seed"].nunique(), len(table))) if found else None


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
    judge: Callable[[Known], Verdict]


CLAIMS: dict[str, Claim] = {}


def claim(id: str, text: str, published: str) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    """Put a judging function among the `CLAIMS`."""

    def put(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
        CLAIMS[id] = Claim(id, text, published, lambda studies: judge(id, studies))
        return judge

    return put


def evidence(folder: str | Path, machine: str | None = None) -> Evidence | Rows:
    """A stored study's evidence, or what a contest or the case study of cycles left there.

    Args:
        folder: the folder.
        machine: whose runs of a study to take, see `tables.load`.

    Raises:
        StudyError: the folder holds nothing of the kind, or rows that must not share a table.
    """
    found = rows_in(folder)
    if found is not None:
        return found
    return asked(Store(Path(folder)).spec(), tables.load(folder, machine), tables.curves(folder))


def rows_in(folder: str | Path) -> Rows | None:
    """What a contest or the case study of cycles left in a folder; None where neither did, or where a study is."""
    if (Path(folder) / "spec.json").exists():
        return None
    for kind, name, read in (("contest", contest.TABLE, contest.read), ("cycles", cycles.FILE, cycles.read)):
        if (Path(folder) / name).exists():
            return Rows(kind, read(folder))
    return None


def asked(spec: StudySpec, runs: pd.DataFrame, curves: pd.DataFrame) -> Evidence:
    """A study's evidence: rows outside its present grid, and curves of other machines, are left out.

    Raises:
        StudyError: the rows must not share a table.
    """
    if len(runs):
        runs = runs[runs["id"].isin([trial.id for trial in spec.trials()])]
    return Evidence(spec, tables.comparable(runs) if len(runs) else runs, tables.curves_of(curves, runs))


def verdicts(studies: Known) -> list[Verdict]:
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
    """What is known of the seconds to the target of one width's trials, (optimizers, rates, seeds): at least `low`, at most `high`.

    Both are the seconds of an arrival, and infinite for a trial that diverged or is stuck; a capped one is above its cap, and one that is
    missing, failed with an error or was pruned may be anything. `long` says that the cap is long enough for a capped trial to count as one
    that does not work. `outcomes` has the trials' ends, or "" where one is missing.
    """

    name: str
    optimizers: tuple[str, ...]
    rates: Floats
    low: Floats
    high: Floats
    outcomes: NDArray[np.str_]
    long: bool

    @property
    def seeds(self) -> int:
        """Seeds of each cell."""
        return int(self.low.shape[-1])

    @property
    def missing(self) -> int:
        """Trials of which nothing is known."""
        return int((self.low == 0).sum())

    @property
    def short(self) -> int:
        """Trials that ran out of a cap too short to tell."""
        return 0 if self.long else int((self.outcomes == Outcome.CAPPED).sum())

    @property
    def state(self) -> NDArray[np.int64]:
        """(optimizers, rates): 1 where more than half of the seeds arrive; -1 where they do not; 0 where too many are not known."""
        return states(np.isfinite(self.high), np.isinf(self.low) | (self.long & (self.outcomes == Outcome.CAPPED)))

    @property
    def all_six(self) -> bool:
        """Whether every optimizer of the published study is there."""
        return set(self.optimizers) == set(OPTIMIZERS)


def states(arrived: NDArray[np.bool_], failed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """1, -1 or 0 where most seeds (the last axis) arrived, at least half did not, or it hangs on what is not known."""
    seeds = arrived.shape[-1]
    works, fails = 2 * arrived.sum(axis=-1) > seeds, 2 * failed.sum(axis=-1) >= seeds
    return np.asarray(works.astype(np.int64) - fails, np.int64)


def grid_of(studies: Known) -> Grid | None:
    """The largest grid that is wide and dense enough, at width 1 or the first; None if there is none. What was asked for decides, not what
    is there, so that a missing trial never makes another study the judge."""
    found = []
    for study in studies_in(studies):
        tried = np.array(sorted(study.spec.rates), float)
        decades = math.log10(tried[-1] / tried[0])
        if decades >= DECADES - 1e-3 and len(tried) - 1 >= PER_DECADE * decades - 1e-3 and len(study.spec.optimizers) > 1:
            found.append(study)
    if not found:
        return None
    study = max(found, key=lambda study: (len(study.spec.optimizers), len(study.spec.rates), study.spec.seeds, study.spec.name))
    spec, rates = study.spec, np.array(sorted(study.spec.rates), float)
    width = 1.0 if 1.0 in spec.widths else spec.widths[0]
    runs = study.runs[study.runs["width"] == width] if len(study.runs) else study.runs
    shape = (len(spec.optimizers), len(rates), spec.seeds)
    if runs.empty:
        return Grid(spec.name, spec.optimizers, rates, np.zeros(shape), np.full(shape, math.inf), np.full(shape, ""), False)
    axes = ([width], spec.optimizers, list(rates), spec.seeds)
    capped, budget = runs["outcome"] == Outcome.CAPPED, tables.budget(runs)
    at_cap = runs.assign(outcome=runs["outcome"].mask(capped, Outcome.REACHED), seconds=runs["seconds"].mask(capped, budget))
    low, high = np.nan_to_num(tables.cube(at_cap, *axes)[0], nan=0.0, posinf=math.inf), tables.cube(runs, *axes)[0]
    outcomes = tables.on_axes(runs, runs["outcome"].astype(str).to_numpy(str), *axes, missing="")[0]
    arrived = runs["seconds"][runs["outcome"] == Outcome.REACHED]
    long = bool(len(arrived) and budget.max() >= LONG_CAP * arrived.min())
    return Grid(spec.name, spec.optimizers, rates, low, np.nan_to_num(high, nan=math.inf, posinf=math.inf), outcomes, long)


NO_GRID = f"no study tries several optimizers at rates over {DECADES:g} decades, {PER_DECADE:g} in each: such as `run article`"


def over_seeds(grid: Grid, low: Callable[[Floats, Floats], float], high: Callable[[Floats, Floats], float]) -> tuple[float, float, float]:
    """A ratio of times with its interval, seeds resampled; `SCATTER` either way at least with fewer than `statistics.ENOUGH_SEEDS`.

    Args:
        grid: the trials.
        low: the least the ratio can be, of the medians (optimizers, rates) of the grid's `low` and `high`.
        high: the most it can be, of the same.
    """
    middle = np.median(grid.low, axis=-1), np.median(grid.high, axis=-1)
    least, most = low(*middle), high(*middle)
    value = most if math.isfinite(most) else least
    if grid.seeds >= statistics.FEWEST_SEEDS:
        chosen = statistics.draws(grid.seeds, 400)
        drawn = statistics.medians(grid.low, chosen), statistics.medians(grid.high, chosen)
        ends = [(low(a, b), high(a, b)) for a, b in zip(*(np.moveaxis(part, -1, 0) for part in drawn), strict=True)]
        least = min(least, float(statistics.between(np.array([end[0] for end in ends]))[0]))
        most = max(most, float(statistics.between(np.array([end[1] for end in ends]))[1]))
    if grid.seeds < statistics.ENOUGH_SEEDS:
        least, most = min(least, value / SCATTER), max(most, value * SCATTER)
    return value, least, most


def ratio(a: float, b: float) -> float:
    """a / b of times that may be zero or infinite: infinite where b is zero or a alone is infinite, 0 where b alone is infinite, and 1
    where neither is there."""
    if math.isinf(a) and math.isinf(b):
        return 1.0
    return math.inf if b == 0 or math.isinf(a) else a / b


def few(grid: Grid) -> str:
    """How far the seeds carry, in words."""
    seeds = counted(grid.seeds, "seed")
    return seeds if grid.seeds >= statistics.ENOUGH_SEEDS else f"{seeds}, so a ratio is taken to be uncertain by {SCATTER:g} either way"


def about(grid: Grid) -> str:
    """Which study was judged and what is not known of it, as the end of a sentence."""
    parts = [f"{grid.missing} of {grid.low.size} trials are missing or were given up early"] if grid.missing else []
    parts += [f"{grid.short} ran out of a cap too short to tell"] if grid.short else []
    return f"{'; ' if parts else ''}{' and '.join(parts)} (study {grid.name})"


@claim("majority-fails", "for every optimizer, most learning rates fail to train the model", "33 to 44 of 48 rates fail")
def majority_fails(id: str, studies: Known) -> Verdict:
    """The least share of failing rates over the optimizers, above a half."""
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, MAJORITY, NO_GRID)
    count = len(grid.rates)
    failing, possible = (grid.state == -1).sum(axis=1), (grid.state <= 0).sum(axis=1)
    lows = [statistics.share_interval(int(n), count)[0] for n in failing]
    highs = [statistics.share_interval(int(n), count)[1] for n in possible]
    least = int(np.argmin(failing))
    reason = f"{grid.optimizers[least]} fails at the fewest rates, {failing[least]} of {count}{about(grid)}"
    found = held(id, failing[least] / count, min(lows), min(highs), MAJORITY, reason)
    if found.verdict == HOLDS and not grid.all_six:
        return held(id, found.statistic, min(*lows, MAJORITY), min(highs), MAJORITY, f"not all six optimizers were tried; {reason}")
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
def valley(id: str, studies: Known) -> Verdict:
    """The widest hole in any optimizer's band, in rates, at most one; and the band ends inside the grid."""
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, HOLE, NO_GRID)
    found = [holes(row) for row in grid.state]
    low, high = max(least for least, _ in found), max(most for _, most in found)
    rows = dict(zip(grid.optimizers, grid.state, strict=True))
    never = [name for name, row in rows.items() if (row == -1).all()]
    unknown = [name for name, row in rows.items() if (row == 0).any()]
    edge = [name for name, row in rows.items() if row[0] == 1 or row[-1] == 1]
    wrong = [name for name, row in rows.items() if name not in (*never, *unknown) and not _ends_as_claimed(grid, name)]
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
        verdict, reason = FAILS, f"above its band {wrong[0]} mostly runs out of time, or below it mostly breaks"
    elif not grid.all_six:
        verdict, reason = UNDECIDED, "not all six optimizers were tried"
    else:
        verdict, reason = HOLDS, f"the widest hole is {counted(low, 'rate')}; trials run out of time below the bands and break above them"
    if verdict == FAILS and grid.seeds < statistics.FEWEST_SEEDS:
        verdict, reason = UNDECIDED, f"{reason}; {counted(grid.seeds, 'seed')}, and it may be luck"
    return Verdict(id, verdict, float(low), float(low), float(high), HOLE, reason + about(grid))


def _ends_as_claimed(grid: Grid, optimizer: str) -> bool:
    """Whether most trials below the optimizer's band run out of time and most above it diverge or get stuck."""
    i = grid.optimizers.index(optimizer)
    band = np.flatnonzero(grid.state[i] == 1)
    below, above = grid.outcomes[i, : band[0]], grid.outcomes[i, band[-1] + 1 :]
    broken = [(np.isin(part, [Outcome.DIVERGED, Outcome.STUCK])).mean() if part.size else None for part in (below, above)]
    return (broken[0] is None or broken[0] < MAJORITY) and (broken[1] is None or broken[1] > MAJORITY)


@claim("no-universal-rate", "no learning rate works for all optimizers", "at most 3 of 6 optimizers at any one rate")
def no_universal_rate(id: str, studies: Known) -> Verdict:
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
    reason = f"at {grid.rates[top]:.3g} {working[top]} of {len(grid.optimizers)} optimizers work, nowhere more{about(grid)}"
    return held(id, float(working[top]), float(working[top]), high, threshold, reason, above=False)


@claim(
    "order-of-magnitude",
    "among rates that work, training time varies by an order of magnitude",
    "from 7.0 s at best to the cap of 120 s",
)
def order_of_magnitude(id: str, studies: Known) -> Verdict:
    """The slowest median time over the fastest, of all cells that work, above ten."""
    grid = grid_of(studies)
    if grid is None:
        return unsaid(id, MAGNITUDE, NO_GRID)
    works, open_ = grid.state == 1, grid.state == 0
    if not works.any():
        return unsaid(id, MAGNITUDE, f"no cell that is known works{about(grid)}")

    def spread(low: Floats, high: Floats) -> float:
        times = high[works & np.isfinite(high)]
        return float(times.max() / times.min()) if len(times) else 1.0

    value, least, most = over_seeds(grid, spread, spread)
    reason = f"the slowest rate that works takes {value:.1f} times the fastest ({few(grid)}){about(grid)}"
    return held(id, value, least, math.inf if open_.any() else most, MAGNITUDE, reason)


@claim("wide-union", "rates from 0.001 to 30 succeed with at least one optimizer", "4.6e-5 to 46 with at least one")
def wide_union(id: str, studies: Known) -> Verdict:
    """The share of the rates from 0.001 to 30 at which an optimizer works, at least 95 %."""
    grid = grid_of(studies)
    low_rate, high_rate = UNION_RATES
    if grid is None or grid.rates[0] > low_rate or grid.rates[-1] < high_rate:
        return unsaid(id, UNION, NO_GRID if grid is None else f"the grid does not reach from {low_rate:g} to {high_rate:g}")
    inside = (grid.rates >= low_rate * 0.999) & (grid.rates <= high_rate * 1.001)
    working, possible = (grid.state[:, inside] == 1).any(axis=0), (grid.state[:, inside] >= 0).any(axis=0)
    value, high = round(float(working.mean()), 6), round(float(possible.mean()), 6)
    without = grid.rates[inside][np.logical_not(working)]
    reason = f"{int(working.sum())} of {int(inside.sum())} rates work with some optimizer"
    reason += f"; not {', '.join(f'{rate:.3g}' for rate in without[:4])}{' ...' if len(without) > 4 else ''}" if len(without) else ""
    if not grid.all_six:
        high, reason = 1.0, f"{reason}; not all six optimizers were tried"
    elif grid.seeds < statistics.FEWEST_SEEDS and abs(high - UNION) <= 2 / len(working):
        value_low, high, reason = 0.0, 1.0, f"{reason}; {counted(grid.seeds, 'seed')}, and two lucky trials would decide otherwise"
        return Verdict(id, UNDECIDED, value, value_low, high, UNION, reason + about(grid))
    return held(id, value, value, high, UNION, reason + about(grid))


def bests(median: Floats) -> Floats:
    """The least seconds of each optimizer over the rates."""
    return np.asarray(median.min(axis=-1), float)


@claim(
    "all-but-rmsprop",
    "at its best rate every optimizer but RMSProp converges in reasonable time",
    "7.0 to 12.4 s; RMSProp 83.7 s",
)
def all_but_rmsprop(id: str, studies: Known) -> Verdict:
    """RMSProp's best time over the fastest optimizer's, above three, and every other's below."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return unsaid(id, REASONABLE, NO_GRID if grid is None else "not all six optimizers were tried")
    rmsprop = grid.optimizers.index("rmsprop")
    rest = [i for i in range(len(grid.optimizers)) if i != rmsprop]
    if not np.isfinite(grid.high).any():
        return unsaid(id, REASONABLE, f"nothing arrived at any rate{about(grid)}")
    value, low, high = over_seeds(
        grid,
        lambda low, high: ratio(bests(low)[rmsprop], bests(high).min()),
        lambda low, high: ratio(bests(high)[rmsprop], bests(low).min()),
    )
    slow, slow_low, slow_high = over_seeds(
        grid,
        lambda low, high: ratio(float(bests(low)[rest].max()), bests(high).min()),
        lambda low, high: ratio(float(bests(high)[rest].max()), bests(low).min()),
    )
    reason = f"RMSProp's best time is {words(value)} the fastest optimizer's, the slowest of the others' {words(slow)} ({few(grid)})"
    verdict = HOLDS if low > REASONABLE > slow_high else FAILS if high < REASONABLE or slow_low > REASONABLE else UNDECIDED
    return Verdict(id, verdict, value, low, high, REASONABLE, reason + about(grid))


def words(times: float) -> str:
    """A ratio in words."""
    return f"{times:.1f} times" if math.isfinite(times) else "never there, against"


@claim("adam-fastest", "Adam learns the fastest", "Adam 8.3 s; SGD 7.0 s, Adagrad 7.8 s")
def adam_fastest(id: str, studies: Known) -> Verdict:
    """Adam's best time over the best of all others', below one."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return unsaid(id, 1.0, NO_GRID if grid is None else "not all six optimizers were tried")
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    if not np.isfinite(grid.high).any():
        return unsaid(id, 1.0, f"nothing arrived at any rate{about(grid)}")
    value, low, high = over_seeds(
        grid,
        lambda low, high: ratio(bests(low)[adam], float(bests(high)[rest].min())),
        lambda low, high: ratio(bests(high)[adam], float(bests(low)[rest].min())),
    )
    best = bests(np.median(grid.high, axis=-1))
    other = rest[int(np.argmin(best[rest]))]
    shown = [f"{best[i]:.3g} s" if math.isfinite(best[i]) else "for ever" for i in (adam, other)]
    reason = f"at their best rates Adam takes {shown[0]}, {grid.optimizers[other]} {shown[1]} ({few(grid)}){about(grid)}"
    return held(id, value, low, high, 1.0, reason, above=False)


def drop(accuracy: Floats, target: float, diverged: bool = False) -> float:
    """The largest fall below the best accuracy so far, once within `NEAR_TARGET` of the target: all of it for a training that diverged; NaN
    if it never comes near."""
    if diverged and len(accuracy):
        return float(accuracy.max())
    near = np.flatnonzero(accuracy >= target - NEAR_TARGET)
    if not len(near):
        return math.nan
    after = accuracy[near[0] :]
    return float((np.maximum.accumulate(after) - after).max())


@claim(
    "adam-stable",
    "Adam's validation accuracy has no major drop, unlike the others",
    "a figure; its data are not published",
)
def adam_stable(id: str, studies: Known) -> Verdict:
    """Adam's largest drop of validation accuracy at its best rate, below two points, and that of most others above."""
    asked = [study for study in studies_in(studies) if "adam" in study.spec.optimizers and len(study.spec.optimizers) > 1]
    if not asked:
        return unsaid(id, DROP, "no study trains Adam beside other optimizers")
    study = max(asked, key=lambda study: (len(study.spec.optimizers), len(study.spec.rates), study.spec.seeds, study.spec.name))
    if study.curves.empty:
        return unsaid(id, DROP, f"no validation curves are stored (study {study.spec.name})")
    drops = {
        str(name): np.array([_drop_of(curve, study.spec.target) for _, curve in mine.groupby("seed")])
        for name, mine in study.curves.groupby("optimizer")
    }
    enough = {name: values for name, values in drops.items() if len(values) == study.spec.seeds >= statistics.FEWEST_SEEDS}
    whole = {name: values for name, values in enough.items() if not np.isnan(values).any()}
    shown = ", ".join(f"{name} {100 * np.median(values):.1f}" for name, values in drops.items())
    reason = f"largest drops in points, medians over the seeds: {shown}"
    value = float(np.median(drops["adam"])) if "adam" in drops else math.nan
    if "adam" not in whole:
        seeds = study.curves["seed"].nunique()
        return Verdict(id, UNDECIDED, value, math.nan, math.nan, DROP, f"{reason}; Adam has curves of {counted(seeds, 'seed')}")
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
    reason += f" (study {study.spec.name})"
    return Verdict(id, verdict, value, low, high, DROP, f"{reason}; {dropping} of {others} others surely drop, {steady} surely do not")


def _drop_of(curve: pd.DataFrame, target: float) -> float:
    return drop(curve["accuracy"].to_numpy(float), target, bool((curve["outcome"] == Outcome.DIVERGED).any()))


@claim("adam-wide", "Adam has a relatively wide range of working rates", "15 of 48 rates; the others 4 to 13")
def adam_wide(id: str, studies: Known) -> Verdict:
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
    reason = f"decades of working rates: {counts}{about(grid)}"
    return held(id, float(sure[adam] - np.median(sure[rest])), low, high, 0.0, reason)


# Sizes


@dataclass(frozen=True)
class Sizes:
    """Seconds to the target of one optimizer's trials, (widths, rates, seeds), infinite where one did not arrive, NaN where it is not known
    whether it would; its runs; and, of the same shape, which trials ran out of time."""

    name: str
    optimizer: str
    widths: Floats
    rates: Floats
    seconds: Floats
    runs: pd.DataFrame
    capped: NDArray[np.bool_]

    @property
    def missing(self) -> int:
        """Trials of which nothing is known."""
        return int(np.isnan(self.seconds).sum())


def sizes_of(studies: Known) -> Sizes | None:
    """The study of the most widths, Adam's part of it if it has one; None if none spans enough. What was asked for decides."""
    found = []
    for study in studies_in(studies):
        least, most = min(study.spec.widths), max(study.spec.widths)
        if len(study.spec.widths) >= FEWEST_WIDTHS and most >= SIZE_RANGE * least:
            found.append(study)
    if not found:
        return None
    study = max(found, key=lambda study: (len(study.spec.widths), study.spec.seeds, len(study.spec.rates), study.spec.name))
    spec, widths, rates = study.spec, np.array(sorted(study.spec.widths), float), np.array(sorted(study.spec.rates), float)
    optimizer = "adam" if "adam" in spec.optimizers else spec.optimizers[0]
    shape = (len(widths), len(rates), spec.seeds)
    runs = study.runs[study.runs["optimizer"] == optimizer] if len(study.runs) else study.runs
    if runs.empty:
        return Sizes(spec.name, optimizer, widths, rates, np.full(shape, math.nan), runs, np.zeros(shape, bool))
    axes = (list(widths), [optimizer], list(rates), spec.seeds)
    seconds = tables.cube(runs, *axes)[:, 0]
    capped = tables.on_axes(runs, (runs["outcome"] == Outcome.CAPPED).to_numpy(), *axes, missing=False)[:, 0]
    return Sizes(spec.name, optimizer, widths, rates, seconds, runs, capped)


NO_SIZES = f"no study has {FEWEST_WIDTHS} widths, the largest {SIZE_RANGE:g} times the smallest: such as `run sizes`"


@claim("linear-size", "at a fixed rate, time grows linearly with model size", "R^2 0.74 to 0.98 at six rates")
def linear_size(id: str, studies: Known) -> Verdict:
    """The share of the rates at which time grows and a line is enough, above a half."""
    sizes = sizes_of(studies)
    if sizes is None:
        return unsaid(id, MAJORITY, NO_SIZES)
    by_rate: dict[float, Any] = {}
    if len(sizes.runs) and sizes.runs["width"].nunique() >= statistics.FEWEST_SIZES:
        by_rate = {row["rate"]: row for row in tables.sizes(sizes.runs).to_dict("records")}
    yes = no = 0
    shapes = []
    for j, rate in enumerate(sizes.rates):
        times = sizes.seconds[:, j]
        row = by_rate.get(float(rate))
        if np.isnan(times).any() or np.isfinite(times).mean() < ENOUGH_ARRIVED or row is None or not isinstance(row["shape"], str):
            shapes.append(f"{rate:g} not known")
        elif row["shape"] != "line" or row["k_high"] <= 0:
            no += 1
            shapes.append(f"{rate:g} {row['shape'] if row['shape'] != 'line' else 'no growth'}")
        elif row["k_low"] > 0:
            yes += 1
            shapes.append(f"{rate:g} line")
        else:
            shapes.append(f"{rate:g} too much scatter to say")
    count = len(sizes.rates)
    low, high = statistics.share_interval(yes, count)[0], statistics.share_interval(count - no, count)[1]
    value = yes / (yes + no) if yes + no else math.nan
    reason = f"time against weights at each rate of {sizes.optimizer}: {', '.join(shapes)} (study {sizes.name})"
    return held(id, value, low, high, MAJORITY, reason)


@claim(
    "rate-survives-scaling",
    "the same rate trains every size from 1x to 10x",
    "36 of 36 sizes at five rates, 31 of 36 at 0.01",
)
def rate_survives_scaling(id: str, studies: Known) -> Verdict:
    """Of the rates that train the smallest size, the share of all sizes that they train, above 90 %."""
    sizes = sizes_of(studies)
    if sizes is None:
        return unsaid(id, SURVIVES, NO_SIZES)
    budget = float(tables.budget(sizes.runs).max()) if len(sizes.runs) else 0.0
    fastest = np.where(np.isnan(sizes.seconds), math.inf, sizes.seconds).min(axis=(1, 2))
    long = np.isfinite(fastest) & (budget >= LONG_CAP * fastest)
    failed = np.isposinf(sizes.seconds) & (~sizes.capped | long[:, None, None])
    state = states(np.isfinite(sizes.seconds), failed)
    short = int((sizes.capped & ~long[:, None, None]).sum())
    if (state[0] == 0).any():
        return unsaid(id, SURVIVES, f"not all is known of the smallest size (study {sizes.name})")
    starting = state[0] == 1
    if not starting.any():
        return unsaid(id, SURVIVES, "no rate trains the smallest size")
    larger = state[1:, starting]
    low = statistics.share_interval(int((larger == 1).sum()), larger.size)[0]
    high = statistics.share_interval(int((larger >= 0).sum()), larger.size)[1]
    worst = int(np.argmin((larger == 1).sum(axis=0)))
    reason = f"{int((larger == 1).sum())} of {larger.size} larger cells of the {int(starting.sum())} rates that train the smallest"
    reason += f"; fewest at {sizes.rates[starting][worst]:g}, {int((larger[:, worst] == 1).sum())} of {len(larger)} sizes"
    reason += f"; {short} trials ran out of a cap too short to tell" if short else ""
    reason += f"; {sizes.missing} trials are missing" if sizes.missing else ""
    return held(id, float((larger == 1).mean()), low, high, SURVIVES, reason)


@claim(
    "best-rate-transfers",
    "the best rates at 1x are the best at 10x",
    "0.0005, 0.001 and 0.00146 at both",
)
def best_rate_transfers(id: str, studies: Known) -> Verdict:
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
    return held(id, value, float(low), float(high), TRANSFERS, reason, above=False)


@claim(
    "variance-above-1e-3",
    "above 0.001, a larger rate takes longer and scatters more about the line",
    "k 2.2e-6 at 0.001, 4.9e-6 s at 0.005; R^2 0.95, 0.85, 0.74",
)
def variance_above(id: str, studies: Known) -> Verdict:
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


# Ways of choosing a rate


@claim(
    "tenth-rule",
    "a tenth of the rate of least loss in a finder's sweep is a rate that works, for each optimizer",
    "one figure, Adam on Fashion-MNIST",
)
def tenth_rule(id: str, studies: Known) -> Verdict:
    """The optimizers at which most seeds' picks train to the target, all six."""
    threshold = len(OPTIMIZERS) - 0.5
    rows = rows_of(studies, "contest")
    mine = rows[(rows["method"] == "finder") & (rows["rule"] == "tenth")] if rows is not None else pd.DataFrame()
    if mine.empty:
        return unsaid(id, threshold, "no contest has the finder's tenth rule: such as `contest DIR`")
    seeds = mine["seed"].nunique()
    reached = (mine["outcome"] == Outcome.REACHED).groupby(mine["optimizer"]).sum()
    failed = (mine["outcome"] != Outcome.REACHED).groupby(mine["optimizer"]).sum()
    state = {name: (1 if 2 * reached[name] > seeds else -1 if 2 * failed[name] >= seeds else 0) for name in reached.index}
    works = sum(value == 1 for value in state.values())
    possible = len(OPTIMIZERS) - sum(value == -1 for value in state.values())
    if seeds < statistics.FEWEST_SEEDS:
        return unsaid(id, threshold, f"{counted(seeds, 'seed')}: whether a pick works may be luck")
    counts = ", ".join(f"{name} {reached[name]} of {seeds}" for name in OPTIMIZERS if name in reached.index)
    return held(id, works, works, possible, threshold, f"picks that train to the target: {counts}")


@claim(
    "clr-gain",
    "most of what the case study of cyclical rates gains in test error is the cycle's",
    "1.91 to 1.64 %, its second run carrying on from the first",
)
def clr_gain(id: str, studies: Known) -> Verdict:
    """The cycle's gain over the same run at a constant rate, less half of the second run's gain over the first, in points: above zero."""
    rows = rows_of(studies, "cycles")
    if rows is None or rows["seed"].nunique() < statistics.FEWEST_SEEDS:
        return unsaid(id, 0.0, f"no case study of {statistics.FEWEST_SEEDS} seeds: such as `cycles --out DIR`")
    whole, cycle = cycles.gain(rows, cycles.PUBLISHED, cycles.FIRST), cycles.gain(rows, cycles.PUBLISHED, cycles.CONTROL_ON)
    last = cycles.final(rows).dropna()
    # (on - published) - (first - published) / 2, seed by seed
    middle = (last[cycles.FIRST] + last[cycles.PUBLISHED]) / 2
    most = statistics.mean((last[cycles.CONTROL_ON] - middle).to_numpy(float))
    own = f"{round(cycle.mean, 2) + 0.0:.2f} ({cycle.low:.2f} to {cycle.high:.2f})"
    reason = f"of {whole.mean:.2f} points that the second run gains {own} are the cycle's"
    return held(id, most.mean, most.low, most.high, 0.0, f"{reason}, {whole.count} seeds")


@claim("windows-equal", "triangular, Welch and Hann windows do equally well", "said, not measured")
def windows_equal(id: str, studies: Known) -> Verdict:
    """The largest difference of two windows' test errors in points, below a tenth of a point."""
    rows = rows_of(studies, "cycles")
    if rows is None or rows["seed"].nunique() < statistics.FEWEST_SEEDS:
        return unsaid(id, cycles.EQUAL, f"no case study of {statistics.FEWEST_SEEDS} seeds: such as `cycles --out DIR`")
    pairs = cycles.windows(rows)
    most = max(pairs, key=lambda pair: abs(pair.mean))
    low = max(max(pair.low, -pair.high, 0.0) for pair in pairs)
    high = max(max(abs(pair.low), abs(pair.high)) for pair in pairs)
    reason = f"the largest difference is {abs(most.mean):.2f} points of test error, over {most.count} seeds"
    return held(id, abs(most.mean), low, high, cycles.EQUAL, reason, above=False)


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts beside the published numbers: claim, verdict, statistic, low, high, threshold, published, reason."""
    return pd.DataFrame([{"claim": v.id, "says": CLAIMS[v.id].text, **asdict(v), "published": CLAIMS[v.id].published} for v in found]).drop(
        columns="id"
    )


def judge(folders: str | Path | Sequence[str | Path], machine: str | None = None) -> list[Verdict]:
    """Every claim's verdict on the studies in these folders.

    Args:
        folders: of studies, contests and case studies of cycles.
        machine: whose runs of the studies to take, see `tables.load`.

    Raises:
        StudyError: no folder, or one that holds no study.
    """
    if not folders:
        raise StudyError("name at least one study's folder")
    folders = [folders] if isinstance(folders, str | Path) else folders
    return verdicts([evidence(folder, machine) for folder in folders])
