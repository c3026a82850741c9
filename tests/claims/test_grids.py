"""Claims on the grid of rates, on grids drawn by hand: verdict, numbers and reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from study.claims import grids
from study.claims.frame import NO_GRID
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.trial import OPTIMIZERS
from support.claims.boards import RATES, board, six, wilson

inf = math.inf
END = " (study board)"


def judge(id_: str, lines: dict[str, Any], **how: Any) -> Verdict:
    """A claim's verdict on a grid drawn by hand."""
    return CLAIMS[id_].judge([board(lines, **how)])


def test_thresholds_are_those_that_are_published() -> None:
    """As the page of findings has them."""
    assert (grids.MAJORITY, grids.HOLE, grids.MAGNITUDE) == (0.5, 1, 10)
    assert (grids.UNION, grids.UNION_RATES, grids.REASONABLE) == (0.95, (0.001, 30), 3)


@pytest.mark.parametrize("id_", list(CLAIMS)[:6])
def test_without_a_grid_no_claim_on_it_is_judged(id_: str) -> None:
    """Its threshold is said all the same."""
    found = CLAIMS[id_].judge([])
    thresholds = [0.5, 1.0, 5.5, 10.0, 0.95, 3.0]
    assert (found.verdict, found.reason) == (UNDECIDED, NO_GRID)
    assert found.threshold == thresholds[list(CLAIMS).index(id_)]


MAJORITY = [
    (six("....." + "4" + "xxxxx"), 10, 10, HOLDS, ""),
    (six("....." + "4" + "xxxxx", adam="...44xxxxxx"), 9, 9, HOLDS, "adam"),
    (six("....." + "4" + "xxxxx", adam="..44444xxxx"), 6, 6, UNDECIDED, "adam"),
    (six("....." + "4" + "xxxxx", adam="44444444444"), 0, 0, FAILS, "adam"),
    (six("....." + "4" + "xxxxx", adam="?.?.4xx?xx?"), 6, 10, UNDECIDED, "adam"),
    ({"sgd": "....." + "4" + "xxxxx", "adam": "....." + "4" + "xxxxx"}, 10, 10, UNDECIDED, ""),
    ({"sgd": "44444444444", "adam": "....." + "4" + "xxxxx"}, 0, 0, FAILS, "sgd"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "failing", "possible", "verdict", "least"), MAJORITY)
def test_most_rates_fail_for_the_optimizer_at_which_fewest_do(
    lines: dict[str, Any], failing: int, possible: int, verdict: str, least: str
) -> None:
    """Wilson's interval of its share, up to what the missing trials may add. It holds of all six
    alone.
    """
    found = judge("majority-fails", lines)
    assert found.verdict == verdict
    assert found.statistic == pytest.approx(failing / 11)
    low, high = wilson(failing, 11)[0], wilson(possible, 11)[1]
    few = verdict == UNDECIDED and len(lines) < 6
    assert (found.low, found.high) == pytest.approx((min(low, 0.5) if few else low, high))
    missing = "; 4 of 66 trials are missing or were given up early" if possible > failing else ""
    assert found.reason == (
        f"{'not all six optimizers were tried; ' if few else ''}{least or 'sgd'} fails at the "
        f"fewest rates, {failing} of 11{missing}{END}"
    )


GOOD = ".....44xxxx"
ONE_HOLE = "...4x44xxxx"
TWO = "..4xx44xxxx"
VALLEYS: list[tuple[dict[str, Any], int, str, float, float, str]] = [
    (six(), 3, HOLDS, 0, 0,
     "the widest hole is 0 rates; trials run out of time below the bands and break above them"),
    (six(adam=ONE_HOLE), 1, HOLDS, 1, 1,
     "the widest hole is 1 rate; trials run out of time below the bands and break above them"),
    (six(adam=TWO), 3, FAILS, 2, 2, "the widest hole in a band is 2 rates, adam's"),
    (six(adam=TWO), 2, UNDECIDED, 2, 2,
     "the widest hole in a band is 2 rates, adam's; 2 seeds, and it may be luck"),
    (six(adam="." * 11), 3, FAILS, 0, 0, "adam works nowhere"),
    (six(adam="." * 11), 1, UNDECIDED, 0, 0, "adam works nowhere; 1 seed, and it may be luck"),
    (six(adam="...4?44xxxx", sgd="?....44xxxx"), 3, UNDECIDED, 0, 4,
     "not all is known of the rates of sgd, adam; 6 of 198 trials are missing or were given up "
     "early"),
    (six(adam=".......4444", rmsprop="444....xxxx"), 3, UNDECIDED, 0, 0,
     "the band of adam, rmsprop reaches the grid's edge"),
    (six(adam=".....44...x"), 3, FAILS, 0, 0,
     "above its band adam mostly runs out of time, or below it mostly breaks"),
    (six(adam="xxxxx44xxxx"), 3, FAILS, 0, 0,
     "above its band adam mostly runs out of time, or below it mostly breaks"),
    ({"sgd": GOOD, "adam": GOOD}, 3, UNDECIDED, 0, 0, "not all six optimizers were tried"),
    ({"sgd": GOOD, "adam": TWO}, 3, FAILS, 2, 2, "the widest hole in a band is 2 rates, adam's"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "seeds", "verdict", "low", "high", "reason"), VALLEYS)
def test_a_valley_is_one_band_that_ends_in_the_grid(
    lines: dict[str, Any], seeds: int, verdict: str, low: float, high: float, reason: str
) -> None:
    """What is worst is said, and of fewer than three seeds that it may be luck."""
    found = judge("valley", lines, seeds=seeds)
    assert (found.verdict, found.statistic, found.low, found.high) == (verdict, low, low, high)
    assert (found.threshold, found.reason) == (1, reason + END)


UNIVERSAL: list[tuple[dict[str, Any], float, float, str]] = [
    (six(), 6, 6, FAILS),
    (six(adam=".......4xxx"), 5, 5, HOLDS),
    (six(adam="?......4xxx"), 5, 5, HOLDS),
    (six(adam=".....?.4xxx"), 5, 6, UNDECIDED),
    ({"sgd": GOOD, "adam": GOOD}, 2, 6, UNDECIDED),
    ({"sgd": GOOD, "adam": ".......4xxx"}, 1, 1, HOLDS),
    ({"sgd": GOOD, "adam": "?......4xxx", "rmsprop": GOOD}, 2, 2, HOLDS),
]


@pytest.mark.parametrize(("lines", "works", "possible", "verdict"), UNIVERSAL)
def test_no_rate_works_for_all_where_one_of_each_is_known_to_fail(
    lines: dict[str, Any], works: float, possible: float, verdict: str
) -> None:
    """An optimizer that was not tried may work where all others do."""
    found = judge("no-universal-rate", lines)
    assert (found.verdict, found.statistic, found.low, found.high) == (
        verdict,
        works,
        works,
        possible,
    )
    assert found.threshold == 5.5
    rate = RATES[5]
    missing = f"; 1 of {11 * len(lines)} trials are missing or were given up early"
    assert found.reason == (
        f"at {rate:.3g} {works:g} of {len(lines)} optimizers work, nowhere more"
        f"{missing if '?' in str(lines) else ''}{END}"
    )


@pytest.mark.parametrize(
    ("slow", "seeds", "verdict"),
    [(20.01, 5, HOLDS), (20.0, 5, UNDECIDED), (19.99, 5, FAILS), (29.0, 4, UNDECIDED),
     (30.1, 4, HOLDS), (13.4, 4, UNDECIDED), (13.3, 4, FAILS)],
)  # fmt: skip
def test_times_of_rates_that_work_differ_by_more_than_ten(
    slow: float, seeds: int, verdict: str
) -> None:
    """The slowest rate of any optimizer over the fastest; with few seeds within 1.5 either way."""
    lines = six(sgd="....s24xxxx")
    found = judge("order-of-magnitude", lines, seeds=seeds, seconds={"s": slow})
    room = 1.0 if seeds >= 5 else 1.5
    assert found.verdict == verdict
    wanted = (slow / 2, slow / 2 / room, slow / 2 * room)
    assert (found.statistic, found.low, found.high) == pytest.approx(wanted)
    assert found.threshold == 10
    assert found.reason.startswith(f"the slowest rate that works takes {slow / 2:.1f} times the ")
    assert found.reason.endswith(f"){END}")


def test_an_open_cell_may_be_slower_than_all() -> None:
    """So nothing bounds the spread; where nothing works nothing is judged."""
    found = judge("order-of-magnitude", six(sgd="...?244xxxx"), seeds=5)
    assert (found.verdict, found.statistic, found.low, found.high) == (UNDECIDED, 2, 2, inf)
    found = judge("order-of-magnitude", six("." * 11), seeds=5)
    said = "no cell that is known works; 330 ran out of a cap too short to tell"
    assert (found.verdict, found.reason) == (UNDECIDED, said + END)
    uneven = {
        **six("....." + "4" + "xxxxx"),
        "sgd": ["....." + value + "xxxxx" for value in "44.44"],
    }
    found = judge("order-of-magnitude", uneven, seeds=5)
    assert (found.statistic, found.low, found.high) == (1, 1, 1)


WIDE = tuple(float(f"{10 ** (-4 + k * 6 / 21):.6g}") for k in range(22))
"""From 1e-4 to 100; 0.001 to 30 are sixteen of them, from the fifth."""


def wide(works: Sequence[bool], first: int = 4) -> str:
    """A line that works at those of the rates from 0.001 to 30."""
    inside = "".join("4" if each else "x" for each in works)
    return "." * first + inside + "x" * (22 - first - len(inside))


INSIDE = [rate for rate in WIDE if 0.001 <= rate <= 30]
ALL = [True] * len(INSIDE)


def lacks(*places: int) -> list[bool]:
    """All work but these."""
    return [i not in places for i in range(len(INSIDE))]


@pytest.mark.parametrize(
    ("missed", "seeds", "verdict", "said"),
    [
        ((), 3, HOLDS, ""),
        ((0,), 3, FAILS, "; not {0:.3g}"),
        ((0, 1, 2, 3), 3, FAILS, "; not {0:.3g}, {1:.3g}, {2:.3g}, {3:.3g}"),
        ((0, 1, 2, 3, 4), 3, FAILS, "; not {0:.3g}, {1:.3g}, {2:.3g}, {3:.3g} ..."),
        ((), 2, UNDECIDED, "; 2 seeds, and two lucky trials would decide otherwise"),
        ((0, 1, 2), 1, FAILS, "; not {0:.3g}, {1:.3g}, {2:.3g}"),
        ((0, 1), 1, UNDECIDED,
         "; not {0:.3g}, {1:.3g}; 1 seed, and two lucky trials would decide otherwise"),
    ],
)  # fmt: skip
def test_a_union_is_wide_if_nearly_all_rates_work_with_some_optimizer(
    missed: tuple[int, ...], seeds: int, verdict: str, said: str
) -> None:
    """Two optimizers may share the work. With fewer than three seeds two trials may be luck."""
    count = len(INSIDE)
    half = [i < count // 2 and i not in missed for i in range(count)]
    rest = [i >= count // 2 and i not in missed for i in range(count)]
    lines = six("x" * 22, sgd=wide(half), adam=wide(rest))
    found = judge("wide-union", lines, seeds=seeds, rates=WIDE)
    value = round(1 - len(missed) / count, 6)
    assert (found.verdict, found.statistic, found.threshold) == (verdict, value, 0.95)
    ends = (0.0, 1.0) if "two lucky" in said else (value, value)
    assert (found.low, found.high) == ends
    assert found.reason == (
        f"{count - len(missed)} of {count} rates work with some optimizer"
        f"{said.format(*INSIDE)}{END}"
    )


def test_a_union_is_judged_where_the_grid_reaches() -> None:
    """From 0.001 to 30, ends included; an optimizer that was not tried may fill any gap."""
    lines = {"sgd": wide(ALL), "adam": wide(ALL)}
    found = judge("wide-union", lines, seeds=3, rates=WIDE)
    assert (found.verdict, found.statistic, found.high) == (HOLDS, 1, 1)
    gap = {name: wide(lacks(3)) for name in lines}
    found = judge("wide-union", gap, seeds=3, rates=WIDE)
    assert (found.verdict, found.high) == (UNDECIDED, 1)
    assert found.reason.endswith(f"; not all six optimizers were tried{END}")
    unknown = {name: wide(lacks(3)) for name in OPTIMIZERS}
    unknown["adam"] = unknown["adam"][:7] + "?" + unknown["adam"][8:]
    found = judge("wide-union", unknown, seeds=3, rates=WIDE)
    assert (found.verdict, found.high) == (UNDECIDED, 1)
    for low, high, reaches in ((1e-3, 30, True), (1.1e-3, 300, False), (1e-4, 29, False)):
        rates = (
            tuple(np.geomspace(low, high, 12)) if reaches else tuple(np.geomspace(low, high, 13))
        )
        if reaches:
            rates = (*rates[:-1], 30.0, *np.geomspace(31, 200, 3))
        found = judge("wide-union", six("4" * len(rates)), seeds=3, rates=rates)
        assert (found.verdict == HOLDS) == reaches, found
        if not reaches:
            assert found.reason == "the grid does not reach from 0.001 to 30"


def slow(rmsprop: float, other: float = 4.0) -> dict[str, Any]:
    """RMSProp's and Adadelta's best times; the others' is 4 s."""
    return {
        "lines": six(rmsprop=".....rxxxxx", adadelta=".....axxxxx"),
        "seconds": {"r": rmsprop, "a": other},
    }


@pytest.mark.parametrize(
    ("rmsprop", "other", "verdict"),
    [(12.1, 4.0, HOLDS), (12.0, 4.0, UNDECIDED), (11.9, 4.0, FAILS), (13.0, 11.9, HOLDS),
     (13.0, 12.0, UNDECIDED), (13.0, 12.1, FAILS), (2.0, 4.0, FAILS)],
)  # fmt: skip
def test_rmsprop_alone_takes_more_than_three_times_the_fastest(
    rmsprop: float, other: float, verdict: str
) -> None:
    """Exactly three times is neither."""
    found = judge("all-but-rmsprop", seeds=5, **slow(rmsprop, other))
    fastest = min(4.0, rmsprop)
    value = rmsprop / fastest
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx((value, value, value))
    assert found.threshold == 3
    assert found.reason == (
        f"RMSProp's best time is {value:.1f} times the fastest optimizer's, the slowest of the "
        f"others' {max(other, 4.0) / fastest:.1f} times (5 seeds){END}"
    )


def test_rmsprop_that_never_arrives_takes_for_ever() -> None:
    """What a short cap leaves open decides nothing; where nothing arrived nothing is judged."""
    found = judge("all-but-rmsprop", six(rmsprop="x" * 11), seeds=5)
    assert (found.verdict, found.statistic) == (HOLDS, inf)
    assert "never there, against the fastest" in found.reason
    short = judge("all-but-rmsprop", six(rmsprop="." * 11), seeds=5, cap=11.0)
    assert (short.verdict, short.low, short.high) == (UNDECIDED, 11 / 4, inf)
    nothing = judge("all-but-rmsprop", six("x" * 11), seeds=5)
    assert (nothing.verdict, nothing.reason) == (UNDECIDED, f"nothing arrived at any rate{END}")
    few = judge("all-but-rmsprop", {"sgd": GOOD, "rmsprop": GOOD})
    assert (few.verdict, few.reason) == (UNDECIDED, "not all six optimizers were tried")
