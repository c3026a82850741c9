"""What a study says of itself: that nothing arrived, that the machine was busy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import pytest

from study import tables
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.across import Across
from study.storage.records import Outcome
from study.tables.caveats import COLLAPSE
from support.known import made_up, sparse
from support.made import made


def test_a_study_in_which_nothing_arrived_says_why() -> None:
    """Outcomes, the nearest trial, the budget, and what would show more."""
    capped = tables.frame(
        [
            replace(run, outcome=Outcome.CAPPED, best_accuracy=0.3 + i / 100)
            for i, run in enumerate(made_up())
        ]
    )
    (why,) = tables.unreached(capped)
    top = capped.sort_values("best_accuracy").iloc[-1]
    assert why.startswith(
        f"no trial reached 97 % ({len(capped)} capped); the best was {top['optimizer']} at "
        f"{top['learning_rate']:.3g} with "
    )
    assert "(--cap 20), or a lower --target, in another --out" in why
    assert why in tables.warnings(capped)
    dead = tables.frame(
        [replace(run, outcome=Outcome.DIVERGED, best_accuracy=None) for run in made_up()]
    )
    assert tables.unreached(dead) == [
        f"no trial reached 97 % ({len(dead)} diverged): other --rates would show more"
    ]
    text = "\x1b[1mValueError\x1b[0m: expected 8 columns\nand more"
    lost = [
        replace(run, outcome=Outcome.FAILED, best_accuracy=None, error=text) for run in made_up()
    ]
    (why,) = tables.unreached(tables.frame(lost))
    assert why.endswith(" failed: ValueError: expected 8 columns")
    assert tables.unreached(tables.frame(made_up())) == []
    assert tables.unreached(capped.iloc[:0]) == []
    (why,) = tables.unreached(tables.frame(sparse()))
    assert why.startswith("no rate reached 97 % in the median of its seeds (35 capped, 1 reached)")


def test_rows_of_a_busy_machine_or_an_unknown_kind_are_said_to_be_such() -> None:
    """Those of them that are, and only in the warnings of a table that holds them."""
    fine = made_up()
    assert tables.busy(tables.frame(fine)) == ""
    assert not tables.kind_unknown(tables.frame(fine))
    some = tables.frame(
        [
            replace(run, quiet=i > 2, processor=None if i == 5 else "1.2.3")
            for i, run in enumerate(fine)
        ]
    )
    said = tables.warnings(some)
    assert tables.busy(some).endswith(
        f"the seconds of 3 of {len(fine)} trials may be too long, the steps are right"
    )
    assert tables.busy(some) in said
    assert any(
        sentence.startswith("the kind of processor of test-machine was not told apart")
        for sentence in said
    )
    alone = tables.frame(
        [replace(run, quiet=False, trial=replace(run.trial, mode="alone")) for run in fine]
    )
    assert tables.busy(alone) == (
        f"other programs ran while they trained: the seconds of all {len(fine)} trials may "
        "be too long, the steps are right"
    )
    unseen = tables.frame([replace(run, quiet=None) for run in fine])
    assert tables.busy(unseen) == "", "nobody looked"


FIVE = StudySpec(optimizers=("sgd", "adam"), rates=(0.01, 0.1, 1.0), seeds=5, cap=50.0)


def clear(trial: Trial) -> float | str:
    """The middle rate is best."""
    return {0.01: 20.0, 0.1: 5.0, 1.0: 40.0}[trial.learning_rate] + 0.01 * trial.seed


def curves(**ends: tuple[float, str]) -> pd.DataFrame:
    """Validation curves that rise to 97 % and end at an accuracy, by optimizer; the rows of the
    last step come first.
    """
    rows = [
        {"optimizer": name, "learning_rate": 0.123456, "width": 1.0, "seed": 3, "step": step,
         "accuracy": accuracy, "outcome": outcome, "seconds": 1.0}
        for name, (last, outcome) in ends.items()
        for step, accuracy in ((100, last), (50, 0.97))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_curve_that_ends_far_below_the_target_collapsed() -> None:
    """More than 20 points below it, at its last step, or because it diverged; it is said with its
    rate and seed.
    """
    assert COLLAPSE == 0.2
    table = curves(sgd=(0.5, "capped"), adam=(0.25, "capped"), rmsprop=(0.97, "diverged"))
    assert tables.collapsed(table, 0.7).tolist() == [True, True, False]
    assert tables.collapsed(table, 0.45).tolist() == [False, True, False]
    assert tables.collapsed(curves(sgd=(0.5, "capped")), 0.5 + COLLAPSE).tolist() == [False]
    runs = made(FIVE, clear)
    assert tables.warnings(runs, trained=table.iloc[:0]) == []
    said = tables.warnings(runs, trained=table)
    assert said == [
        f"{name} at its best rate, 0.123, was trained again for the curves and collapsed from step "
        "100 on (seed 3): the rate is at the edge of what training survives, and another array "
        "rounds otherwise"
        for name in ("adam", "rmsprop", "sgd")
    ]


@pytest.mark.parametrize(
    ("steps", "words"), [(99, "past"), (100, "before"), (101, "before"), (None, "")]
)
def test_a_collapse_is_told_beside_the_arrival(steps: int | None, words: str) -> None:
    """The curve is fine at step 50 and lost from step 100 on, in any order of its rows."""
    runs = made(FIVE, clear)
    mine = (runs["optimizer"] == "sgd") & (runs["learning_rate"] == 0.1) & (runs["seed"] == 3)
    runs["steps"] = runs["steps"].astype(float).where(~mine, math.nan if steps is None else steps)
    table = curves(sgd=(0.5, "capped")).assign(learning_rate=0.1)
    said = tables.warnings(runs, trained=table)[-1]
    when = f"from step 100 on, {words} its arrival at step {steps}" if words else "from step 100 on"
    assert f"collapsed {when} (seed 3)" in said


@pytest.mark.parametrize(("high", "wide"), [(0.1, False), (0.095, False), (0.11, True)])
def test_a_best_rate_that_may_be_ten_times_as_high_is_uncertain(high: float, wide: bool) -> None:
    """By more than a factor of ten; 0.01 and the other rate are too near to each other."""
    spec = FIVE.with_(rates=(0.001, 0.01, high, 1.0), optimizers=("adam",))

    def unclear(trial: Trial) -> float:
        if trial.learning_rate in (0.001, 1.0):
            return 40.0
        return (4.0 if trial.learning_rate == 0.01 else 4.1) * 1.1**trial.seed

    best = tables.best(made(spec, unclear))
    assert best[["best_low", "best_high"]].to_numpy().tolist() == [[0.01, high]]
    said = (
        "the best rate of adam is uncertain by more than a factor of ten: more seeds would "
        "settle it"
    )
    assert tables.warnings(made(spec, unclear)) == ([said] if wide else [])


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (1, "1 seed a cell: no interval can be given, and a best rate may be luck; take at least "
         "--seeds 3, or let confirm train the best rates on fresh seeds"),
        (2, "2 seeds a cell: no interval can be given, and a best rate may be luck; take at least "
         "--seeds 3, or let confirm train the best rates on fresh seeds"),
        (3, "3 seeds a cell: an interval from the least to the largest covers in three cases of "
         "four; five seeds make it 95 %"),
        (4, "4 seeds a cell: an interval from the least to the largest covers in three cases of "
         "four; five seeds make it 95 %"),
        (5, None),
    ],
)  # fmt: skip
def test_few_seeds_are_said(seeds: int, said: str | None) -> None:
    """Five are enough."""
    spec = FIVE.with_(seeds=seeds)
    assert tables.warnings(made(spec, clear), spec) == ([said] if said else [])


def test_what_is_missing_and_what_is_uneven_are_said_apart() -> None:
    """A study that has not ended lacks trials, and its edges and uneven cells say nothing yet; one
    whose rows by other clocks are elsewhere lacks none.
    """
    runs = made(FIVE, clear)
    assert tables.warnings(runs, FIVE) == []
    missing = "{} of 30 trials are missing: best rates are of what has ended so far, and the same "
    missing += "command goes on"
    elsewhere = "{} more trials count by another machine's step times, so that their caps in steps "
    elsewhere += "are others: they are in no table with these"
    uneven = "1 of 6 cells have fewer seeds than the others"
    assert tables.warnings(runs.iloc[2:], FIVE) == [missing.format(2)]
    assert tables.warnings(runs.iloc[2:], FIVE, elsewhere=1) == [
        elsewhere.format(1),
        missing.format(1),
    ]
    assert tables.warnings(runs.iloc[2:], FIVE, elsewhere=2) == [elsewhere.format(2), uneven]
    assert tables.warnings(runs.iloc[2:], FIVE, elsewhere=3)[1:] == [uneven]
    assert tables.warnings(runs.iloc[2:]) == [uneven]
    other = FIVE.with_(rates=(0.01, 0.1))
    assert tables.warnings(runs, other) == [], "rows outside the grid are none of it"
    edge = made(FIVE, lambda trial: 1 + trial.learning_rate)
    said = "the best rate of sgd, adam is at the grid's edge: a better one may lie beyond"
    assert tables.warnings(edge, FIVE) == [said]
    assert tables.warnings(edge.iloc[1:], FIVE) == [missing.format(1)]


def test_failures_are_counted() -> None:
    """They count as not arrived."""
    failed = made(FIVE, lambda trial: "failed" if trial.seed == 4 else clear(trial))
    assert tables.warnings(failed, FIVE) == [
        "6 trials failed with an error and count as not arrived; --retry trains them again"
    ]


CHECK = Across(
    at="2026-01-01T00:00:00+00:00", machine="guest", fingerprint="b", software="s", trials=6,
    engine="tensorflow", precision="float32", same_outcomes=6, both=6, ratio=1.0, low=0.9, high=1.1,
)  # fmt: skip
KINDS: list[tuple[dict[str, Any], list[Across], list[str]]] = [
    ({"fingerprint": ["a"] * 30}, [], []),
    ({"fingerprint": ["b"] * 30, "machine": ["guest"] * 30}, [],
     ["seconds are by the step times of home; the steps come from 1 kind of machine: guest (30)"]),
    ({"fingerprint": ["a", "b"] * 15, "machine": ["home", "guest"] * 15}, [CHECK],
     ["seconds are by the step times of home; the steps come from 2 kinds of machine: home (15), "
      "guest (15)", f"guest agrees with the stored trials: {CHECK}"]),
    ({"fingerprint": ["a", "a", "b"] * 10, "software": ["s", "t", "s"] * 10,
      "machine": ["home", "home", "guest"] * 10}, [],
     ["seconds are by the step times of home; the steps come from 3 kinds of machine: home with s "
      "(10), home with t (10), guest (10)",
      "nobody has checked that these kinds take the same steps: run verify --across on one of "
      "them"]),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "checks", "said"), KINDS)
def test_who_took_the_steps_is_said(
    columns: dict[str, Any], checks: list[Across], said: list[str]
) -> None:
    """Unless the clock's own machine took them all."""
    base = made(FIVE, clear).assign(
        clock="a", clock_machine="home", clock_software="s", software="s"
    )
    runs = base.assign(**columns)
    assert tables.warnings(runs, FIVE, checks=checks) == said
    mixed = runs.assign(clock_software=["t", "s"] * 15)
    assert tables.warnings(mixed, FIVE, checks=checks) == [
        *said,
        "the trials ran on different software (s, t): their step times are not of one kind",
    ]


UNREACHED: list[tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = [
    (lambda runs: runs,
     "no trial reached 97 % (6 capped). The budget allowed 1,234 steps of 12.3 ms: a larger one "
     "(--cap 100), or a lower --target, in another --out, would show more"),
    (lambda runs: runs.assign(max_steps=1250, cap_seconds=math.nan),
     "no trial reached 97 % (6 capped). The budget allowed 1,234 steps of 12.3 ms: a larger one "
     "(--max-steps 2468), or a lower --target, in another --out, would show more"),
    (lambda runs: runs.assign(steps=math.nan, step_seconds=math.nan),
     "no trial reached 97 % (6 capped): a larger one (--cap 100), or a lower --target, in another "
     "--out, would show more"),
    (lambda runs: runs.assign(outcome=["stuck", "diverged", "stuck"] * 2),
     "no trial reached 97 % (2 diverged, 4 stuck): other --rates would show more"),
    (lambda runs: runs.assign(best_accuracy=[0.1, math.nan, 0.4321, 0.2, 0.3, 0.0]),
     "no trial reached 97 % (6 capped); the best was sgd at 1 with 43.2 %. The budget allowed "
     "1,234 steps of 12.3 ms: a larger one (--cap 100), or a lower --target, in another --out, "
     "would show more"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), UNREACHED)
def test_why_nothing_arrived_is_said(
    change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    """The outcomes, the best accuracy, what the budget allowed, and what would show more."""
    runs = made(FIVE.with_(seeds=1), lambda trial: "capped")
    runs = runs.assign(steps=1234.0, step_seconds=0.01234, best_accuracy=math.nan)
    assert tables.unreached(change(runs)) == [said]


def test_one_cell_whose_median_arrives_is_enough() -> None:
    """Two of three seeds; one is not."""

    def some(trial: Trial, last: int) -> float | str:
        return 5.0 if trial.learning_rate == 0.1 and trial.seed <= last else "capped"

    for last, count in ((1, 0), (0, 1)):
        assert len(tables.unreached(made(FIVE.with_(seeds=3), partial(some, last=last)))) == count
