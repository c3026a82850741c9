"""Claims on ways of choosing a rate, with numbers by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.claims.evidence import Rows
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.trial import OPTIMIZERS
from study.tables import case_study
from support.published import picks

ALL = dict.fromkeys(OPTIMIZERS, 4)


@pytest.mark.parametrize(
    ("reached", "works", "possible", "verdict"),
    [
        (ALL, 6, 6, HOLDS),
        ({**ALL, "sgd": 3}, 6, 6, HOLDS),
        ({**ALL, "sgd": 2}, 5, 5, FAILS),
        ({**ALL, "sgd": 0, "adam": 1}, 4, 4, FAILS),
        (dict.fromkeys(OPTIMIZERS[1:], 4), 5, 6, UNDECIDED),
        (dict.fromkeys(OPTIMIZERS[2:], 4), 4, 6, UNDECIDED),
        ({**dict.fromkeys(OPTIMIZERS[2:], 4), "sgd": 1}, 4, 5, FAILS),
    ],
)
def test_a_rule_works_where_most_seeds_picks_train(
    reached: Mapping[str, int], works: int, possible: int, verdict: str
) -> None:
    """Of four seeds three; half is not most. An optimizer without picks may work."""
    found = CLAIMS["tenth-rule"].judge([picks(reached, seeds=4)])
    assert (found.verdict, found.threshold) == (verdict, 5.5)
    assert (found.statistic, found.low, found.high) == (works, works, possible)
    counts = ", ".join(f"{name} {reached[name]} of 4" for name in OPTIMIZERS if name in reached)
    assert found.reason == f"picks that train to the target: {counts}"


def test_a_seed_without_a_pick_may_do_either() -> None:
    """Of three seeds one reached and one is missing: not known; two reached: it works."""
    for kept, possible, verdict in ((1, 6, UNDECIDED), (2, 6, HOLDS)):
        table = picks(dict.fromkeys(OPTIMIZERS, kept), seeds=3).table
        last = (table["optimizer"] == "sgd") & (table["seed"] == 2)
        rest = picks(dict.fromkeys(OPTIMIZERS, 3), seeds=3).table
        mixed = pd.concat(
            [rest[rest["optimizer"] != "sgd"], table[(table["optimizer"] == "sgd") & ~last]]
        )
        found = CLAIMS["tenth-rule"].judge([Rows("contest", mixed)])
        assert (found.verdict, found.high) == (verdict, possible)


def test_three_seeds_of_the_tenth_rule_are_wanted() -> None:
    """Its own picks alone count, of the finder alone."""
    none = "no contest has the finder's tenth rule: such as `contest DIR`"
    table = picks(ALL, seeds=4).table
    other = table.assign(method="search")
    slide = table.assign(rule="slide")
    for known in ([], [Rows("contest", other)], [Rows("contest", slide)], [Rows("cycles", table)]):
        found = CLAIMS["tenth-rule"].judge(known)
        assert (found.verdict, found.threshold, found.reason) == (UNDECIDED, 5.5, none)
    for seeds, words in ((1, "1 seed"), (2, "2 seeds")):
        found = CLAIMS["tenth-rule"].judge([picks(dict.fromkeys(OPTIMIZERS, seeds), seeds=seeds)])
        assert found.verdict == UNDECIDED
        assert found.reason == f"{words}: whether a pick works may be luck"
    three = CLAIMS["tenth-rule"].judge([picks(dict.fromkeys(OPTIMIZERS, 3), seeds=3)])
    assert three.verdict == HOLDS


def cycles(errors: Mapping[str, Sequence[float]]) -> Rows:
    """A case study whose final errors these are, in percent; 2 % where none is given."""
    seeds = len(next(iter(errors.values())))
    rows = [
        {"arm": arm.name, "seed": seed, "epoch": 10, "test_error": value / 100}
        for arm in case_study.ARMS
        for seed, value in enumerate(errors.get(arm.name, [2.0] * seeds))
    ]
    return Rows("cycles", pd.DataFrame(rows))


def judge(id_: str, errors: Mapping[str, Sequence[float]]) -> Verdict:
    """A claim's verdict on such a case study."""
    return CLAIMS[id_].judge([cycles(errors)])


@pytest.mark.parametrize(
    ("published", "control", "verdict"),
    [
        ([1.5, 1.51, 1.49], [1.95, 1.96, 1.94], HOLDS),
        ([1.7, 1.71, 1.69], [1.75, 1.76, 1.74], FAILS),
        ([1.7, 1.6, 1.8], [1.85, 1.9, 1.8], UNDECIDED),
    ],
)
def test_most_of_the_gain_is_the_cycles_if_it_gains_more_than_half(
    published: list[float], control: list[float], verdict: str
) -> None:
    """The cycle's gain less half of the whole, seed by seed, with Student's interval by scipy."""
    first = [2.1, 2.111, 2.092]
    found = judge(
        "clr-gain",
        {
            case_study.FIRST: first,
            case_study.PUBLISHED: published,
            case_study.CONTROL_ON: control,
        },
    )
    a, b, c = (np.array(values) for values in (first, published, control))
    most = (c - b) - (a - b) / 2
    wanted = stats.t.interval(1 - 0.05 / len(CLAIMS), 2, most.mean(), stats.sem(most))
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx((most.mean(), *wanted))
    low, high = stats.t.interval(0.95, 2, (c - b).mean(), max(stats.sem(c - b), 1e-12))
    assert found.threshold == 0
    assert found.reason == (
        f"of {(a - b).mean():.2f} points that the second run gains {(c - b).mean():.2f} "
        f"({round(low, 2) + 0.0:.2f} to {high:.2f}) are the cycle's, 3 seeds"
    )


ROOM = 0.01 / math.sqrt(3) * float(stats.t.isf(0.05 / len(CLAIMS) / 2, 2))
"""Student's interval of scatter 0.01 over three seeds."""


@pytest.mark.parametrize(
    ("hann", "welch", "verdict", "low", "high"),
    [
        ([2.0, 2.01, 1.99], [2.0, 2.01, 1.99], UNDECIDED, 0.0, ROOM),
        ([2.0, 2.001, 1.999], [2.0, 2.001, 1.999], HOLDS, 0.0, ROOM / 10),
        ([2.4, 2.41, 2.39], [2.0, 2.01, 1.99], FAILS, 0.4, 0.4 + ROOM),
        ([2.0, 2.01, 1.99], [2.4, 2.41, 2.39], FAILS, 0.4, 0.4 + ROOM),
        ([2.15, 2.17, 2.13], [2.0, 2.01, 1.99], UNDECIDED, 0.15 - ROOM, 0.15 + 2 * ROOM),
    ],
)
def test_windows_are_equal_if_no_two_differ_by_a_tenth_of_a_point(
    hann: list[float], welch: list[float], verdict: str, low: float, high: float
) -> None:
    """The pair that differs most; from the largest low end to the largest high end of all pairs.
    Two windows that scatter alike differ by 0.4 without any.
    """
    errors = {"three cycles, triangular": [2.0] * 3, "three cycles, hann": hann,
              "three cycles, welch": welch}  # fmt: skip
    found = judge("windows-equal", errors)
    most = max(abs(np.mean(hann) - 2), abs(np.mean(welch) - 2))
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx((most, low, high), abs=1e-4)
    assert found.threshold == 0.1
    assert found.reason == (
        f"the largest difference is {most:.2f} points of test error, over 3 seeds"
    )


@pytest.mark.parametrize(("id_", "threshold"), [("clr-gain", 0.0), ("windows-equal", 0.1)])
def test_three_seeds_of_a_case_study_are_wanted(id_: str, threshold: float) -> None:
    """Two decide nothing."""
    two = cycles({case_study.FIRST: [2.0, 2.1]})
    contest = Rows("contest", cycles({case_study.FIRST: [2.0, 2.1, 2.2]}).table)
    for known in ([], [two], [contest]):
        found = CLAIMS[id_].judge(known)
        assert (found.verdict, found.threshold) == (UNDECIDED, threshold)
        assert found.reason == "no case study of 3 seeds: such as `cycles --out DIR`"
    three = CLAIMS[id_].judge([cycles({case_study.FIRST: [2.0, 2.1, 2.2]})])
    assert not math.isnan(three.statistic)
