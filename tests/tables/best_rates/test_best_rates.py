"""Rates around the best one, curves that are wanted, and runs laid out as an array."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study import tables
from study.errors import StudyError
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.jsonl import append_line
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables.best_rates import MARGIN, Wanted, wanted
from support.known import made_up, sparse
from support.made import made, made_runs

SPEC = StudySpec(
    optimizers=("sgd", "adam"), rates=(0.01, 0.1, 1.0), widths=(1.0, 2.0), seeds=2, cap=20.0
)


def takes(trial: Trial) -> float | str:
    """The best rate is 0.1 at width 1, and 1 at width 2; the smallest does not arrive."""
    best = 0.1 if trial.width == 1 else 1.0
    slower = 2.0 if trial.optimizer == "adam" else 1.0
    if trial.learning_rate == 0.01:
        return "capped"
    return slower * (3.0 if trial.learning_rate == best else 5.0) + trial.seed


def test_rates_around_are_thirds_of_a_decade_below_and_sixths_above() -> None:
    """To three digits, at the least width."""
    runs = made(SPEC, takes)
    steps = [-1, -2 / 3, -1 / 3, 0, 1 / 6, 1 / 3]
    wanted_rates = tuple(float(f"{0.1 * 10**step:.3g}") for step in steps)
    assert tables.rates_around(runs, "adam") == wanted_rates
    with pytest.raises(StudyError, match="rmsprop reached the target at no rate of that study"):
        tables.rates_around(runs, "rmsprop")
    never = made(SPEC, lambda trial: "capped")
    with pytest.raises(StudyError, match="sgd reached the target at no rate"):
        tables.rates_around(never, "sgd")


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_runs_are_laid_out_as_an_array(seeds: int) -> None:
    """Infinite where a trial did not arrive; unknown where it is missing, failed or was pruned.
    Values that no trial has, and trials that no axis has, do no harm.
    """
    spec = SPEC.with_(seeds=4)
    ends = ["reached", "capped", "stuck", "diverged", "failed", "pruned"]

    def some(trial: Trial) -> float | str:
        end = ends[int(trial.id[:8], 16) % 6]
        return 1 + int(trial.id[8:], 16) % 100 / 10 if end == "reached" else end

    runs = made(spec, some)
    runs = runs.drop(runs.index[::7])
    axes = ([2.0, 9.0, 1.0], ["adam", "rmsprop", "sgd"], [1.0, 0.01, 7.0])
    found = tables.cube(runs, *axes, seeds)
    assert found.shape == (3, 3, 3, seeds)
    rows = {
        (row["width"], row["optimizer"], row["learning_rate"], row["seed"]): row
        for row in runs.to_dict("records")
    }
    for place in np.ndindex(found.shape):
        w, o, r, seed = place
        row = rows.get((axes[0][w], axes[1][o], axes[2][r], seed))
        value = math.nan
        if row is not None and row["outcome"] not in ("failed", "pruned"):
            value = row["seconds"] if row["outcome"] == "reached" else math.inf
        assert found[place] == pytest.approx(value, nan_ok=True)
    lanes = tables.on_axes(runs, np.arange(len(runs)), *axes, seeds, missing=-1)
    assert sorted(set(lanes.ravel().tolist()) - {-1}) == [
        i for i, (key) in enumerate(rows) if key[0] in axes[0] and key[2] in axes[2]
        and key[3] < seeds
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "at_edge"), [((0.1,), False), ((0.1, 1.0), True), ((0.01, 0.1, 1.0), False)]
)
def test_a_best_rate_is_at_the_edge_if_a_better_one_may_lie_beyond(
    rates: tuple[float, ...], at_edge: bool
) -> None:
    """Not where a single rate was tried."""
    best = tables.best(made(SPEC.with_(rates=rates, widths=(1.0,)), takes))
    assert best["at_edge"].tolist() == [at_edge] * 2


@pytest.mark.parametrize(("seeds", "known"), [(1, False), (2, False), (3, True)])
def test_three_seeds_have_an_interval(seeds: int, known: bool) -> None:
    """It holds the median; fewer seeds have none."""
    best = tables.best(made(SPEC.with_(seeds=seeds, widths=(1.0,)), takes))
    ends = best[["seconds_low", "seconds_high"]].to_numpy()
    assert np.isfinite(ends).all() == known
    if known:
        assert best["seconds"].tolist() == [4, 7]
        assert (ends[:, 0] < [4, 7]).all()
        assert (ends[:, 1] > [4, 7]).all()


def whole(folder: Path, runs: list[Run]) -> Wanted:
    """The curves that are wanted; there are some."""
    found = wanted(Store(folder), runs)
    assert found is not None
    return found


def test_curves_are_wanted_of_the_best_rates_at_the_first_width(folder: Path) -> None:
    """All seeds of each, as lanes at their own step times, over 1.25 times the slowest best time,
    or the cap.
    """
    runs = [
        replace(run, step_seconds=0.01 if run.trial.optimizer == "sgd" else 0.03)
        for run in made_runs(SPEC, takes)
    ]
    found = whole(folder, runs)
    assert [
        [(t.optimizer, t.learning_rate, t.width, t.seed) for t in group] for group in found.groups
    ] == [[("sgd", 0.1, 1.0, seed), ("adam", 0.1, 1.0, seed)] for seed in (0, 1)]
    assert found.step_seconds == [0.01, 0.03]
    assert MARGIN == 1.25
    assert found.span == pytest.approx(1.25 * 6.5)
    for cap, span in ((7.0, 7.0), (None, 1.25 * 6.5)):
        limited = [replace(run, trial=replace(run.trial, cap=cap)) for run in runs]
        assert whole(folder, limited).span == pytest.approx(span)


def test_no_curve_is_wanted_where_nothing_can_be_repeated(folder: Path) -> None:
    """Nothing arrived, no rate did in the median, or no step time is known; stored curves of
    another span are trained again, others are not.
    """
    assert wanted(Store(folder), []) is None
    assert wanted(Store(folder), sparse()) is None
    runs = made_runs(SPEC, takes)
    assert wanted(Store(folder), [replace(run, outcome=Outcome.STUCK) for run in runs]) is None
    assert wanted(Store(folder), [replace(run, step_seconds=None) for run in runs]) is None
    found = whole(folder, made_up())
    assert [len(group) for group in found.groups] == [2, 2, 2]
    store = Store(folder)
    trials = [trial for group in found.groups for trial in group]
    for number, spans in enumerate(([found.span] * 6, [found.span] * 5 + [found.span * 0.9])):
        rows = [
            {"id": trial.id, "optimizer": trial.optimizer, "learning_rate": trial.learning_rate,
             "width": 1.0, "seed": trial.seed, "span": span, "check_every": 50,
             "step_seconds": 0.01, "accuracy": [0.5], "loss": [1.0]}
            for trial, span in zip(trials, spans, strict=True)
        ]  # fmt: skip
        folder.mkdir(exist_ok=True)
        store.curves_path.unlink(missing_ok=True)
        for row in rows[:-1]:
            append_line(store.curves_path, row)
        assert wanted(store, made_up()) is not None, "one is missing"
        append_line(store.curves_path, rows[-1])
        assert (wanted(store, made_up()) is None) == (number == 0)
