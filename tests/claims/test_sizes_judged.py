"""Claims on the size of the network, on studies drawn by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from study.claims import sizes
from study.claims.evidence import Evidence
from study.claims.frame_sizes import no_sizes, sizes_of
from study.claims.judge import about
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.trial import Trial
from study.tables.best_rates import Scatter, best_margin
from support.claims.boards import ENDS, grows, study

inf = math.inf
END = " (study sizes)"


@pytest.mark.parametrize(
    ("id_", "threshold"),
    [("linear-size", 0.5), ("rate-survives-scaling", 0.9), ("best-rate-transfers", 1.25),
     ("variance-above-1e-3", 1.0)],
)  # fmt: skip
def test_without_sizes_no_claim_on_them_is_judged(id_: str, threshold: float) -> None:
    """Its threshold is said all the same; of a study that has only begun too."""
    found = CLAIMS[id_].judge([])
    assert (found.verdict, found.threshold, found.reason) == (UNDECIDED, threshold, no_sizes([]))
    begun = study(lambda trial: "missing", (0.001, 0.01))
    assert CLAIMS[id_].judge([begun]).verdict == UNDECIDED


WORDS = {"eight": "line", "seven": "not known", "missing": "not known",
         "quadratic": "quadratic (steps: quadratic)",
         "scatter": "too much scatter to say"}  # fmt: skip
LINEAR = [
    (["line"] * 6, 6, 0, HOLDS),
    (["line"] * 3 + ["eight"], 4, 0, HOLDS),
    (["line"] * 3, 3, 0, HOLDS),
    (["line"] * 2 + ["quadratic", "no growth"], 2, 2, UNDECIDED),
    (["quadratic", "no growth"] * 3, 0, 6, FAILS),
    (["line", "seven", "missing", "scatter", "quadratic"], 1, 1, UNDECIDED),
    (["seven", "scatter"], 0, 0, UNDECIDED),
]


@pytest.mark.parametrize(("kinds", "yes", "no", "verdict"), LINEAR)
def test_time_is_linear_where_a_line_grows_at_most_rates(
    kinds: list[str], yes: int, no: int, verdict: str
) -> None:
    """Eight of ten sizes must have arrived for a shape to be judged; up to what the unknown may
    add.
    """
    rates = [0.001 * (i + 1) for i in range(len(kinds))]
    found = CLAIMS["linear-size"].judge(
        [study(lambda t: grows(kinds[rates.index(t.learning_rate)], t), rates)]
    )
    assert sizes.ENOUGH_ARRIVED == 0.8
    shapes = ", ".join(
        f"{rate:g} {WORDS.get(kind, kind)}" for rate, kind in zip(rates, kinds, strict=True)
    )
    assert found.reason == f"time against weights at each rate of adam: {shapes}{END}"
    value = yes / (yes + no) if yes + no else math.nan
    low, high = yes / len(kinds), 1 - no / len(kinds)
    assert (found.statistic, found.low, found.high) == pytest.approx(
        (value, low, high), nan_ok=True
    )
    assert (found.verdict, found.threshold) == (verdict, 0.5)


def test_two_networks_have_no_line() -> None:
    """Whether others are missing, or near widths round to one of them."""
    for last in (2, 3):
        found = CLAIMS["linear-size"].judge(
            [study(lambda t, last=last: 4.0 if t.width <= last else "missing", (0.001,))]  # type: ignore[misc]
        )
        assert "0.001 not known" in found.reason
    near = study(lambda trial: 4.0 + trial.width, (0.001,), (1.0, 1.001, 1.002, 1.003, 4.0))
    assert near.runs["weights"].nunique() == 2
    found = CLAIMS["linear-size"].judge([near])
    assert found.reason == f"time against weights at each rate of adam: 0.001 not known{END}"
    assert math.isnan(found.statistic)


FIVE = (1.0, 2.0, 3.0, 3.5, 4.0)


def drawn(lines: Sequence[str], **how: Any) -> Evidence:
    """A line a width, a letter a rate: see `support.claims.boards`."""
    widths = how.pop("widths", FIVE)
    rates = how.pop("rates", [0.001 * (i + 1) for i in range(len(lines[0]))])

    def takes(trial: Trial) -> float | str:
        letter = lines[widths.index(trial.width)][rates.index(trial.learning_rate)]
        return ENDS.get(letter) or float(letter)

    return study(takes, rates, widths, **how)


SURVIVES: list[tuple[list[str], float, int, int, int, str, str]] = [
    (["4" * 15] * 5, 60, 60, 60, 60, UNDECIDED, "60 of 60, fewest at 0.001, 4 of 4 sizes"),
    (["4" * 16] * 5, 60, 64, 64, 64, HOLDS, "64 of 64, fewest at 0.001, 4 of 4 sizes"),
    (["444x"] + ["4444"] * 4, 60, 12, 12, 12, UNDECIDED,
     "12 of 12, fewest at 0.001, 4 of 4 sizes"),
    (["4449"] + ["444x"] * 4, 60, 12, 12, 12, UNDECIDED,
     "12 of 16, fewest at 0.004, 0 of 4 sizes"),
    (["4444"] * 2 + ["44x4"] * 3, 60, 13, 13, 16, UNDECIDED,
     "13 of 16, fewest at 0.003, 1 of 4 sizes"),
    (["4444"] * 2 + ["4xx."] * 3, 60, 7, 7, 16, FAILS, "7 of 16, fewest at 0.002, 1 of 4 sizes"),
    (["4444"] * 2 + ["4.44"] * 3, 59, 13, 16, 16, UNDECIDED, "13 of 16, fewest at 0.002, 1 of 4 "
     "sizes; 3 trials ran out of a cap too short to tell"),
    (["4444"] * 2 + ["4?44"] * 2 + ["ffff"], 60, 10, 16, 16, UNDECIDED,
     "10 of 16, fewest at 0.002, 1 of 4 sizes; 6 trials are missing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "cap", "trained", "possible", "cells", "verdict", "said"), SURVIVES
)
def test_a_rate_survives_if_it_trains_nine_tenths_of_the_larger_sizes(
    lines: list[str], cap: float, trained: int, possible: int, cells: int, verdict: str, said: str
) -> None:
    """Of those rates that take at most twice the least time at the smallest; the exact interval of
    the cells, up to what the unknown may add. A cap counts as long from 15 times the fastest time
    of the same width.
    """
    found = CLAIMS["rate-survives-scaling"].judge([drawn(lines, cap=cap)])
    suits = lines[0].count("4")
    assert found.reason == (
        f"at the rates that suit the smallest sizes, 0.001 to {0.001 * suits:g}, {trained} of "
        f"{cells} larger cells train; at all that train the smallest {said}"
    )
    (low, _), (_, high) = (
        proportion_confint(count, cells, 0.05 / len(CLAIMS), method="beta")
        for count in (trained, possible)
    )
    assert (found.statistic, found.low, found.high) == pytest.approx((trained / cells, low, high))
    assert (found.verdict, found.threshold) == (verdict, 0.9)


def test_what_trains_the_smallest_size_must_be_known() -> None:
    """And there must be something."""
    for first, said in (
        ("4?44", f"not all is known of the smallest size{END}"),
        ("xxxx", "no rate trains the smallest size"),
        (".xx.", f"not all is known of the smallest size{END}"),
    ):
        found = CLAIMS["rate-survives-scaling"].judge([drawn([first, *["4444"] * 4])])
        assert (found.verdict, found.reason) == (UNDECIDED, said)


SEVEN = (1.0, 1.4, 1.5, 1.6, 6.6, 6.67, 10.0)


def transfers(small: Mapping[float, float], large: Mapping[float, float], **how: Any) -> Verdict:
    """The verdict where the ends take so long at each rate; widths between them never arrive."""

    def takes(trial: Trial) -> float | str:
        if 1.5 < trial.width < 6.67:
            return "stuck"
        return (small if trial.width < 2 else large)[trial.learning_rate]

    found = study(takes, tuple(small), SEVEN, **how)
    return CLAIMS["best-rate-transfers"].judge([found])


@pytest.mark.parametrize(
    ("small", "large", "verdict"), [(3.0, 4.99, HOLDS), (3.0, 5.0, UNDECIDED), (3.0, 5.01, FAILS),
                                    (3.7, 4.0, HOLDS), (3.9, 6.0, FAILS)],
)  # fmt: skip
def test_one_rate_that_costs_less_than_a_quarter_more_at_both_ends_transfers(
    small: float, large: float, verdict: str
) -> None:
    """All widths within a factor of 1.5 of either end count as it, and no other."""
    found = transfers(
        {0.001: small, 0.002: 6.0, 0.003: 3.0}, {0.001: large, 0.002: 4.0, 0.003: 9.0}, seeds=2
    )
    assert (found.verdict, found.threshold) == (verdict, 1.25)
    value = max(small / 3, large / 4)
    assert (found.statistic, found.low, found.high) == pytest.approx((value, value, value))
    best = 0.002 if large > 4 else 0.001
    assert found.reason == (
        f"best at the smallest sizes {0.001 if small == 3 else 0.003:g}, at the largest {best:g}; "
        f"0.001 takes {small / 3:.2f} and {large / 4:.2f} times the least time there{END}"
    )


def test_the_ends_must_have_three_trials() -> None:
    """Two largest widths of one seed are too few; a rate that is not known is not the one."""
    same = {0.001: 3.0, 0.002: 4.0}
    few = transfers(same, same)
    assert few.reason == "too few trials of the smallest or the largest sizes"
    one = transfers({0.001: 3.0}, {0.001: 3.0}, seeds=2)
    assert (one.verdict, one.reason) == (UNDECIDED, "only one rate")
    assert transfers(same, same, seeds=2).verdict == HOLDS
    never = transfers(same, {0.001: inf, 0.002: inf}, seeds=2)
    assert never.reason == "too few trials of the smallest or the largest sizes"
    for lost, verdict in ((0.001, UNDECIDED), (0.003, HOLDS)):

        def takes(trial: Trial, lost: float = lost) -> float | str:
            gone = trial.width == 10 and trial.learning_rate == lost
            return "missing" if gone else {0.001: 3.0, 0.002: 4.0, 0.003: 8.0}[trial.learning_rate]

        found = CLAIMS["best-rate-transfers"].judge(
            [study(takes, (0.001, 0.002, 0.003), SEVEN, seeds=2)]
        )
        assert (found.verdict, found.low) == (verdict, 1)
        assert found.reason.endswith("; 2 trials are missing")


def test_seeds_of_the_ends_that_another_study_holds_count() -> None:
    """Of equal cells under the same protocol; what it was not asked for is not missing."""

    def takes(trial: Trial) -> float:
        seconds = {0.001: 3.0, 0.002: 3.3, 0.003: 30.0}[trial.learning_rate]
        odd = (trial.seed + SEVEN.index(trial.width)) % 2
        return seconds * (1.1 if odd and trial.learning_rate == 0.002 else 1.0)

    rates, five = (0.001, 0.002, 0.003), (1.0, 1.4, 1.5, 6.67, 10.0)
    wide, ends = study(takes, rates, SEVEN, seeds=2), study(takes, rates[:2], five, seeds=7)
    judge = CLAIMS["best-rate-transfers"].judge
    alone, both = judge([wide]), judge([wide, ends])
    assert both == judge([ends, wide])
    assert (alone.statistic, both.statistic) == (1.0, 1.0)
    assert 1.0 < both.high < alone.high
    assert both.reason == alone.reason
    assert judge([wide, study(takes, rates[:2], five, seeds=7, cap=50.0)]) == alone
    found, plain = sizes_of([wide, ends], others=True), sizes_of([wide, ends])
    assert found is not None
    assert plain is not None
    assert np.isfinite(found.seconds).sum(axis=(1, 2)).tolist() == [16, 16, 16, 6, 6, 16, 16]
    assert plain.seconds.shape == (7, 3, 2)
    assert (found.missing, plain.missing) == (0, 0)


def test_of_equal_studies_that_with_more_trials_is_judged() -> None:
    """In any order; and it is said."""

    def of(*missing: float) -> Evidence:
        return study(lambda t: "missing" if t.width in missing else 3.0, (0.001, 0.002), SEVEN)

    whole, half = of(), of(1.6, 6.6, 10.0)
    for studies in ([whole, half], [half, whole]):
        for id_ in ("linear-size", "rate-survives-scaling"):
            assert CLAIMS[id_].judge(studies) == CLAIMS[id_].judge([whole])
        assert about(studies) == [
            "of 2 studies of sizes the claims take the one of 7 widths and 14 trials; of the "
            "others the seeds of equal cells, where they are comparable"
        ]
    assert about([whole]) == []


def test_the_scatter_between_widths_leaves_room() -> None:
    """Von Neumann's estimate, of what the rates do not share."""

    def takes(trial: Trial) -> float:
        shared = 3.0 + trial.width
        return shared * (1.1 if (trial.width in SEVEN[::2]) == (trial.learning_rate > 0.001) else 1)

    found = CLAIMS["best-rate-transfers"].judge([study(takes, (0.001, 0.002), SEVEN, seeds=3)])
    sd = math.sqrt(math.log(1.1) ** 2 / 2 / 0.5)  # each step between widths is 10 %, half shared
    noise = Scatter(sd, 2 / 3 * 0.5 * 3 * 3 * 2)  # three steps of three seeds and two rates
    miss = 0.05 / len(CLAIMS) / 2 / 2 / 2
    room = max(best_margin(noise, 9, 1, miss), best_margin(noise, 6, 1, miss))
    assert found.low == 1
    assert found.high == pytest.approx(found.statistic * room, rel=0.06)
