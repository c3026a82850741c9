"""Claims on the size of the network, on studies drawn by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from study.claims import sizes
from study.claims.evidence import Evidence
from study.claims.frame_sizes import NO_SIZES
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.networks import network_of
from study.spec.trial import Trial
from support.claims.boards import ENDS, study, wilson

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
    assert (found.verdict, found.threshold, found.reason) == (UNDECIDED, threshold, NO_SIZES)
    begun = study(lambda trial: "missing", (0.001, 0.01))
    assert CLAIMS[id_].judge([begun]).verdict == UNDECIDED


BASE = network_of(study(lambda t: 1.0, (0.1,), (1.0,)).spec.trials()[0]).weights


def grows(kind: str, trial: Trial) -> float | str:
    """Seconds that grow so with the weights, with a little noise."""
    x = network_of(trial).weights / BASE
    noise = float(np.random.default_rng([int(trial.width), 3]).normal(0, 1))
    late = {"eight": ("stuck", 9), "seven": ("capped", 8), "missing": ("missing", 10)}
    if kind in late and trial.width >= late[kind][1]:
        return late[kind][0]
    return {
        "line": 2 + 3 * x / 10 + 0.05 * noise,
        "eight": 2 + 3 * x / 10 + 0.05 * noise,
        "seven": 2 + 3 * x / 10 + 0.05 * noise,
        "missing": 2 + 3 * x / 10 + 0.05 * noise,
        "quadratic": 2 + x**2 / 100 + 0.01 * noise,
        "no growth": 40 - x / 10 + 0.05 * noise,
        "scatter": 20 + 3 * noise,
    }[kind]


WORDS = {"eight": "line", "seven": "not known", "missing": "not known",
         "quadratic": "quadratic (steps: quadratic)",
         "scatter": "too much scatter to say"}  # fmt: skip
LINEAR = [
    (["line"] * 6, 6, 0, HOLDS),
    (["line"] * 3 + ["eight"], 4, 0, HOLDS),
    (["line"] * 3, 3, 0, UNDECIDED),
    (["line"] * 2 + ["quadratic", "no growth"], 2, 2, UNDECIDED),
    (["quadratic", "no growth"] * 3, 0, 6, FAILS),
    (["line", "seven", "missing", "scatter", "quadratic"], 1, 1, UNDECIDED),
    (["seven", "scatter"], 0, 0, UNDECIDED),
]


@pytest.mark.parametrize(("kinds", "yes", "no", "verdict"), LINEAR)
def test_time_is_linear_where_a_line_grows_at_most_rates(
    kinds: list[str], yes: int, no: int, verdict: str
) -> None:
    """Eight of ten sizes must have arrived for a shape to be judged. Wilson's interval of the rates
    at which it is a line, up to what the unknown may add.
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
    low, high = wilson(yes, len(kinds))[0], wilson(len(kinds) - no, len(kinds))[1]
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
    (["4" * 12] * 5, 60, 48, 48, 48, HOLDS, "48 of 48 larger cells of the 12 rates that train the "
     "smallest; fewest at 0.001, 4 of 4 sizes"),
    (["444x"] + ["4444"] * 4, 60, 12, 12, 12, UNDECIDED, "12 of 12 larger cells of the 3 rates "
     "that train the smallest; fewest at 0.001, 4 of 4 sizes"),
    (["4444"] * 2 + ["44x4"] * 3, 60, 13, 13, 16, UNDECIDED, "13 of 16 larger cells of the 4 rates "
     "that train the smallest; fewest at 0.003, 1 of 4 sizes"),
    (["4444"] * 2 + ["4x.4"] * 3, 60, 10, 10, 16, FAILS, "10 of 16 larger cells of the 4 rates "
     "that train the smallest; fewest at 0.002, 1 of 4 sizes"),
    (["4444"] * 2 + ["4.44"] * 3, 59, 13, 16, 16, UNDECIDED, "13 of 16 larger cells of the 4 rates "
     "that train the smallest; fewest at 0.002, 1 of 4 sizes; 3 trials ran out of a cap too short "
     "to tell"),
    (["4444"] * 2 + ["4?44"] * 2 + ["ffff"], 60, 10, 16, 16, UNDECIDED, "10 of 16 larger cells of "
     "the 4 rates that train the smallest; fewest at 0.002, 1 of 4 sizes; 6 trials are missing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "cap", "trained", "possible", "cells", "verdict", "said"), SURVIVES
)
def test_a_rate_survives_if_it_trains_nine_tenths_of_the_larger_sizes(
    lines: list[str], cap: float, trained: int, possible: int, cells: int, verdict: str, said: str
) -> None:
    """Of those rates that train the smallest; Wilson's interval of the cells, up to what the
    unknown may add. A cap counts as long from 15 times the fastest time of the same width.
    """
    found = CLAIMS["rate-survives-scaling"].judge([drawn(lines, cap=cap)])
    assert found.reason == said
    low, high = wilson(trained, cells)[0], wilson(possible, cells)[1]
    wanted = (trained / cells, low, high)
    assert (found.statistic, found.low, found.high) == pytest.approx(wanted)
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
    ("chosen", "verdict"), [(4.99, HOLDS), (5.0, UNDECIDED), (5.01, FAILS), (inf, FAILS)]
)
def test_a_best_rate_transfers_if_it_costs_less_than_a_quarter_more(
    chosen: float, verdict: str
) -> None:
    """The smallest sizes' best rate at the largest: all widths within a factor of 1.5 of either end
    count as it, and no other.
    """
    large = {0.001: chosen, 0.002: 4.0, 0.003: 9.0}
    found = transfers({0.001: 3.0, 0.002: 4.0, 0.003: 9.0}, large, seeds=2)
    assert (found.verdict, found.threshold) == (verdict, 1.25)
    value = chosen / 4
    assert (found.statistic, found.low, found.high) == pytest.approx((value, value, value))
    assert found.reason == (
        f"best at the smallest sizes 0.001, at the largest 0.002; the first takes {value:.2f} "
        "times the second's time there"
    )


def test_the_ends_must_be_known_and_have_three_trials() -> None:
    """Two largest widths of one seed are too few; one that is missing is counted; so is a single
    rate.
    """
    same = {0.001: 3.0, 0.002: 4.0}
    few = transfers(same, same)
    assert few.reason == "too few trials of the smallest or the largest sizes"
    one = transfers({0.001: 3.0}, {0.001: 3.0}, seeds=2)
    assert (one.verdict, one.reason) == (UNDECIDED, "only one rate")
    assert transfers(same, same, seeds=2).verdict == HOLDS
    for lost in ((1.0,), (1.5, 10.0)):
        gone = study(
            lambda t, lost=lost: "missing" if t.width in lost else 4.0,  # type: ignore[misc]
            (0.001, 0.002), SEVEN, seeds=2,
        )  # fmt: skip
        found = CLAIMS["best-rate-transfers"].judge([gone])
        assert found.verdict == UNDECIDED
        assert found.reason == (
            f"{4 * len(lost)} trials of the smallest and largest sizes are missing"
        )
    never = transfers(same, {0.001: inf, 0.002: inf}, seeds=2)
    assert never.reason == "no rate works at the smallest or at the largest sizes"


def test_an_interval_is_over_resampled_trials_of_both_ends() -> None:
    """The best rate of the smallest may be either of two: then the penalty is one of two values."""

    def takes(trial: Trial) -> float:
        if trial.width < 2:
            return 3.0 if (trial.seed == 0) == (trial.learning_rate == 0.001) else 5.0
        return 8.0 if trial.learning_rate == 0.001 else 4.0

    found = CLAIMS["best-rate-transfers"].judge([study(takes, (0.001, 0.002), SEVEN, seeds=3)])
    assert (found.statistic, found.low, found.high) == (1, 1, 2)


def scattered(
    time: float, scatter: float, rates: Sequence[float] = (0.0005, 0.001, 0.005)
) -> Evidence:
    """Times about a line, so many times as long and as scattered at the largest rate."""

    def takes(trial: Trial) -> float:
        x = network_of(trial).weights / BASE
        random = np.random.default_rng([int(trial.width * 10), trial.seed])
        noise = float(random.normal(0, 0.2))
        factor, wild = (time, scatter) if trial.learning_rate == max(rates) else (1.0, 1.0)
        return factor * (10 + 0.02 * x) + wild * noise

    return study(takes, rates, seeds=2, cap=500.0)


@pytest.mark.parametrize(
    ("time", "scatter", "verdict"),
    [(2.0, 3.0, HOLDS), (0.5, 3.0, FAILS), (2.0, 0.5, FAILS), (1.0, 3.0, UNDECIDED)],
)
def test_larger_rates_take_longer_and_scatter_more(
    time: float, scatter: float, verdict: str
) -> None:
    """From 0.001 up: the lesser of both ratios, by numpy."""
    one = scattered(time, scatter)
    found = CLAIMS["variance-above-1e-3"].judge([one])
    sides = []
    for rate in (0.001, 0.005):
        mine = one.runs[one.runs["learning_rate"] == rate]
        x, y = mine["weights"].to_numpy(float), mine["seconds"].to_numpy(float)
        left = np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), y, rcond=None)[1][0]
        sides.append((np.median(y), math.sqrt(left / len(y))))
    slower, wider = (b / a for a, b in zip(*sides, strict=True))
    assert found.verdict == verdict
    assert found.statistic == pytest.approx(min(slower, wider))
    assert found.low <= found.statistic * 1.02
    assert found.high >= found.statistic * 0.98
    assert found.threshold == 1
    assert found.reason == (
        f"from 0.001 to 0.005: {slower:.2f} times the time, {wider:.2f} times the scatter about "
        "the line"
    )


def test_rates_from_a_thousandth_up_must_span_a_factor_of_five() -> None:
    """Exactly five is enough; those of a size that is missing, or at which too few arrive, are not
    compared.
    """
    assert (sizes.ABOVE_RATE, sizes.RATE_RANGE) == (0.001, 5)
    short = "the rates from 0.001 up span less than a factor of 5"
    for rates in ((0.001, 0.0049), (0.0009, 0.001), (0.0005, 0.0049, 0.0011)):
        found = CLAIMS["variance-above-1e-3"].judge([scattered(2.0, 3.0, rates)])
        assert (found.verdict, found.reason) == (UNDECIDED, short)
    for kinds, said in (
        (("line", "missing"), "1 trials at rates from 0.001 up are missing"),
        (("line", "seven"), "too few trials arrived at the rates from 0.001 up"),
    ):
        one = study(lambda t, k=kinds: grows(k[t.learning_rate > 0.002], t), (0.001, 0.005))  # type: ignore[misc]
        assert CLAIMS["variance-above-1e-3"].judge([one]).reason == said
    one = study(lambda t: grows("eight" if t.learning_rate > 0.002 else "line", t), (0.001, 0.005))
    assert CLAIMS["variance-above-1e-3"].judge([one]).reason.startswith("from 0.001 to 0.005")
