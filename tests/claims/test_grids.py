"""Claims on the grid of rates, on grids drawn by hand: verdict, numbers and reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from study.claims import grids
from study.claims.frame import no_grid
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.trial import OPTIMIZERS
from support.claims.boards import RATES, board, six

inf = math.inf
END = " (study board)"


def judge(id_: str, lines: dict[str, Any], **how: Any) -> Verdict:
    """A claim's verdict on a grid drawn by hand."""
    return CLAIMS[id_].judge([board(lines, **how)])


def test_thresholds_are_those_that_are_published() -> None:
    """As the page of findings has them."""
    assert (grids.MAJORITY, grids.HOLE, grids.MAGNITUDE) == (0.5, 1, 10)
    assert (grids.UNION, grids.UNION_RATES, grids.REASONABLE) == (0.95, (0.001, 30), 2)


@pytest.mark.parametrize("id_", list(CLAIMS)[:6])
def test_without_a_grid_no_claim_on_it_is_judged(id_: str) -> None:
    """Its threshold is said all the same."""
    found = CLAIMS[id_].judge([])
    thresholds = [0.5, 1.0, 5.5, 10.0, 0.95, 2.0]
    assert (found.verdict, found.reason) == (UNDECIDED, no_grid([]))
    assert found.threshold == thresholds[list(CLAIMS).index(id_)]


MAJORITY = [
    (six("....." + "4" + "xxxxx"), 10, 8, 11, HOLDS, ""),
    (six("....." + "4" + "xxxxx", adam="...44xxxxxx"), 9, 7, 11, HOLDS, "adam"),
    (six("....." + "4" + "xxxxx", adam="..44444xxxx"), 6, 4, 8, UNDECIDED, "adam"),
    (six("....." + "4" + "xxxxx", adam="..4444xxxxx"), 7, 5, 9, UNDECIDED, "adam"),
    (six("....." + "4" + "xxxxx", adam="..444xxxxxx"), 8, 6, 10, HOLDS, "adam"),
    (six("....." + "4" + "xxxxx", adam="44444444444"), 0, 0, 0, FAILS, "adam"),
    (six("....." + "4" + "xxxxx", adam="44444444xxx"), 3, 2, 4, FAILS, "adam"),
    (six("....." + "4" + "xxxxx", adam="??.?4xx??x?"), 4, 0, 11, UNDECIDED, "adam"),
    ({"sgd": "....." + "4" + "xxxxx", "adam": "....." + "4" + "xxxxx"}, 10, 5.5, 11, UNDECIDED,
     ""),
    ({"sgd": "44444444444", "adam": "....." + "4" + "xxxxx"}, 0, 0, 0, FAILS, "sgd"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "failing", "low", "high", "verdict", "least"), MAJORITY)
def test_most_rates_fail_for_the_optimizer_at_which_fewest_do(
    lines: dict[str, Any], failing: int, low: float, high: float, verdict: str, least: str
) -> None:
    """An end of a band may lie a step further, and missing trials may do anything. It holds of
    all six alone.
    """
    found = judge("majority-fails", lines)
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx(
        (failing / 11, low / 11, high / 11)
    )
    few = verdict == UNDECIDED and len(lines) < 6
    count = str(lines.get("adam")).count("?")
    missing = f"; {count} of 66 trials are missing or were given up early" if count else ""
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


@pytest.mark.parametrize(
    ("line", "verdict"),
    [("xxx", HOLDS), (".xx", HOLDS), ("..x", UNDECIDED), ("x4x", UNDECIDED), ("dd.", HOLDS)],
)
def test_a_band_may_end_at_rates_that_another_study_tried(line: str, verdict: str) -> None:
    """Where nothing arrives, and most trials break; of the same protocol."""
    whole = board(six(adam=".......4444"), seeds=3)
    rates = (RATES[-1] * 2, RATES[-1] * 4, RATES[-1] * 8)
    more = board({"adam": line}, rates=rates, name="more")
    assert CLAIMS["valley"].judge([more, whole]).verdict == verdict
    seeds = board({"adam": "44"}, rates=RATES[8:10], seeds=9, name="seeds")  # pooled, and no more
    assert CLAIMS["valley"].judge([more, whole, seeds]).verdict == verdict
    other = board({"adam": line}, rates=rates, name="more", target=0.9)
    assert CLAIMS["valley"].judge([whole, other]).verdict == UNDECIDED


UNIVERSAL: list[tuple[dict[str, Any], float, float, str]] = [
    (six(), 6, 6, FAILS),
    (six(adam="........4xx"), 5, 6, UNDECIDED),
    (six(adam=".........4x"), 5, 5, HOLDS),
    (six(adam="?........4x"), 5, 5, HOLDS),
    (six(adam="....?....4x"), 5, 5, HOLDS),
    (six(adam=".....f...4x"), 5, 6, UNDECIDED),
    ({"sgd": GOOD, "adam": GOOD}, 2, 6, UNDECIDED),
    ({"sgd": GOOD, "adam": ".........4x"}, 1, 1, HOLDS),
    ({"sgd": GOOD, "adam": "?........4x", "rmsprop": GOOD}, 2, 2, HOLDS),
]


@pytest.mark.parametrize(("lines", "works", "possible", "verdict"), UNIVERSAL)
def test_no_rate_works_for_all_where_one_of_each_is_known_to_fail(
    lines: dict[str, Any], works: float, possible: float, verdict: str
) -> None:
    """An end of a band may lie a step further. An optimizer that was not tried may work where all
    others do.
    """
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
    if "....?" in str(lines):
        missing = "; 1 missing between two that failed count as failed"
    assert found.reason == (
        f"at {rate:.3g} {works:g} of {len(lines)} optimizers work, nowhere more"
        f"{missing if '?' in str(lines) or 'f' in str(lines) else ''}{END}"
    )


@pytest.mark.parametrize(
    ("slow", "seeds", "verdict"),
    [(20.01, 5, HOLDS), (20.0, 5, UNDECIDED), (19.99, 5, FAILS), (42.8, 1, UNDECIDED),
     (43.1, 1, HOLDS), (9.4, 1, UNDECIDED), (9.2, 1, FAILS)],
)  # fmt: skip
def test_times_within_an_optimizer_differ_by_more_than_ten(
    slow: float, seeds: int, verdict: str
) -> None:
    """The slowest rate that works over the fastest, the median of the optimizers; one seed leaves
    much room.
    """
    lines = six("...s24xxxxx", adam=".....4xxxxx", rmsprop="...s24xxxxx")
    found = judge("order-of-magnitude", lines, seeds=seeds, seconds={"s": slow})
    assert found.verdict == verdict
    assert found.statistic == pytest.approx(slow / 2)
    share = 2 * (0.05 / 2 / math.comb(6, 3)) ** (1 / 3)
    q = float(stats.studentized_range.isf(share, 3, 87))
    room = 1.0 if seeds == 5 else math.exp(0.32 * q)
    assert (found.low, found.high) == pytest.approx((slow / 2 / room, slow / 2 * room), rel=1e-4)
    assert found.threshold == 10
    assert f"adam 1, adagrad {slow / 2:.3g}" in found.reason
    assert f"over all together {slow / 2:.1f} times ({seeds} seed" in found.reason
    assert found.reason.endswith(f"){END}")


def test_an_open_cell_may_be_slower_than_all() -> None:
    """Where most optimizers have one, nothing bounds the spread; where nothing works nothing is
    judged.
    """
    some = judge("order-of-magnitude", six("...244xxxxx", sgd="...?244xxxx"), seeds=5)
    assert (some.verdict, some.statistic, some.low, some.high) == (FAILS, 2, 2, 2)
    found = judge("order-of-magnitude", six("...?244xxxx"), seeds=5)
    assert (found.verdict, found.statistic, found.low, found.high) == (UNDECIDED, 2, 2, inf)
    found = judge("order-of-magnitude", six("." * 11), seeds=5)
    said = "no cell that is known works; 330 ran out of a cap too short to tell"
    assert (found.verdict, found.reason) == (UNDECIDED, said + END)


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


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(
    ("missed", "said"),
    [
        ((), ""),
        ((3,), "; not {0:.3g}"),
        ((2, 3, 4, 9), "; not {0:.3g}, {1:.3g}, {2:.3g}, {3:.3g}"),
        ((4, 5, 6, 7, 8), "; not {0:.3g}, {1:.3g}, {2:.3g}, {3:.3g} ..."),
    ],
)
def test_a_union_is_wide_if_nearly_all_rates_work_with_some_optimizer(
    missed: tuple[int, ...], said: str, twice: bool
) -> None:
    """Two optimizers may share the work. At an end of a band one alone is not sure, and a step
    beyond it one may work.
    """
    count = len(INSIDE)
    works = [i not in missed for i in range(count)]
    lines = six("x" * 22, sgd="4444" + wide(works, 0)[:count] + "44")
    if twice:
        lines["adam"] = lines["sgd"]
    found = judge("wide-union", lines, seeds=3, rates=WIDE)
    lost = {i + step for i in missed for step in (-1, 0, 1)} & set(range(count))
    value = 1 - len(missed) / count
    low = value if twice else 1 - len(lost) / count
    inner = [i for i in missed if i - 1 in missed and i + 1 in missed]
    high = 1 - len(inner) / count
    assert (found.low, found.statistic, found.high) == pytest.approx((low, value, high), abs=1e-6)
    wanted = HOLDS if low > 0.95 else FAILS if high < 0.95 else UNDECIDED
    assert (found.verdict, found.threshold) == (wanted, 0.95)
    assert found.reason == (
        f"{count - len(missed)} of {count} rates work with some optimizer"
        f"{said.format(*[INSIDE[i] for i in missed])}{END}"
    )


def test_a_union_is_judged_where_the_grid_reaches() -> None:
    """From 0.001 to 30, ends included; an optimizer that was not tried may fill any gap."""
    lines = {"sgd": wide(ALL), "adam": wide(ALL)}
    found = judge("wide-union", lines, seeds=3, rates=WIDE)
    assert (found.verdict, found.statistic, found.high) == (HOLDS, 1, 1)
    gap = {name: wide(lacks(3, 4, 5)) for name in lines}
    found = judge("wide-union", gap, seeds=3, rates=WIDE)
    assert (found.verdict, found.high) == (UNDECIDED, 1)
    assert found.reason.endswith(f"; not all six optimizers were tried{END}")
    unknown = {name: wide(lacks(3, 4, 5)) for name in OPTIMIZERS}
    assert judge("wide-union", unknown, seeds=3, rates=WIDE).verdict == FAILS
    unknown["adam"] = unknown["adam"][:7] + "fff" + unknown["adam"][10:]
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
