"""Claims on the best times of the optimizers, on grids drawn by hand; and how often chance alone
makes a verdict false.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from study.claims.judge import about
from study.claims.verdict import CLAIMS, FAILS, FALSE, HOLDS, UNDECIDED, Verdict, miss
from study.spec.study import StudySpec
from study.tables.best_rates import ONE_DRAW, best_margin
from support.claims.boards import board, six
from support.claims.chance import false_verdicts
from support.made import made

inf = math.inf
END = " (study board)"
GOOD = ".....44xxxx"


def judge(id_: str, lines: dict[str, Any], **how: Any) -> Verdict:
    """A claim's verdict on a grid drawn by hand."""
    return CLAIMS[id_].judge([board(lines, **how)])


def slow(rmsprop: float, other: float = 4.0) -> dict[str, Any]:
    """RMSProp's and Adadelta's best times; the others' is 4 s."""
    return {
        "lines": six(rmsprop=".....rxxxxx", adadelta=".....axxxxx"),
        "seconds": {"r": rmsprop, "a": other},
    }


@pytest.mark.parametrize(
    ("rmsprop", "other", "verdict"),
    [(8.1, 4.0, HOLDS), (8.0, 4.0, UNDECIDED), (7.9, 4.0, FAILS), (13.0, 6.4, HOLDS),
     (13.0, 6.5, UNDECIDED), (13.0, 6.6, FAILS), (2.0, 4.0, FAILS)],
)  # fmt: skip
def test_rmsprop_alone_takes_more_than_twice_the_slowest_other(
    rmsprop: float, other: float, verdict: str
) -> None:
    """Exactly twice is neither."""
    found = judge("all-but-rmsprop", seeds=5, **slow(rmsprop, other))
    value = rmsprop / other
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx((value, value, value))
    assert found.threshold == 2
    assert found.reason == (
        f"RMSProp's best time is {value:.1f} times that of "
        f"{'adadelta' if other > 4 else 'sgd'}, the slowest of the others, which are within "
        f"{other / 4:.1f} times of each other (5 seeds, uncertain by 1 times either way){END}"
    )


def test_one_seed_leaves_room_for_what_may_be_luck() -> None:
    """RMSProp must be slower by the factor by which two least times may differ by chance."""
    margin = best_margin(ONE_DRAW, 1, 2, 0.05 / 2)  # two rates of SGD are tied
    for rmsprop, verdict in ((8.01 * margin, HOLDS), (7.99 * margin, UNDECIDED)):
        found = judge("all-but-rmsprop", **slow(rmsprop))
        assert found.verdict == verdict
        assert found.low == pytest.approx(rmsprop / 4 / margin)
    ways = best_margin(ONE_DRAW, 1, 1, 0.05 / 2 / 5)
    assert found.high == pytest.approx(rmsprop / 4 * ways)


def test_rmsprop_that_never_arrives_takes_for_ever() -> None:
    """What a short cap leaves open decides nothing; where nothing arrived nothing is judged."""
    found = judge("all-but-rmsprop", six(rmsprop="x" * 11), seeds=5)
    assert (found.verdict, found.statistic) == (HOLDS, inf)
    assert "never there, against that of sgd" in found.reason
    short = judge("all-but-rmsprop", six(rmsprop="." * 11), seeds=5, cap=7.0)
    assert (short.verdict, short.low, short.high) == (UNDECIDED, 7 / 4, inf)
    nothing = judge("all-but-rmsprop", six("x" * 11), seeds=5)
    assert (nothing.verdict, nothing.reason) == (UNDECIDED, f"nothing arrived at any rate{END}")
    few = judge("all-but-rmsprop", {"sgd": GOOD, "rmsprop": GOOD})
    assert (few.verdict, few.reason) == (UNDECIDED, "not all six optimizers were tried")


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_at_most_one_study_in_twenty_has_a_false_verdict(seeds: int) -> None:
    """On any of the claims, each of which is exactly at its threshold, or true."""
    share, wrong = false_verdicts(seeds, 24)
    assert share <= FALSE, wrong


def test_all_claims_share_what_may_be_missed() -> None:
    """A twentieth over sixteen claims; with one or two seeds it is each claim's own."""
    assert (FALSE, len(CLAIMS)) == (0.05, 16)
    assert miss() == miss(3) == pytest.approx(0.003125)
    assert miss(1) == miss(2) == 0.05


def fresh(seeds: int, **times: float) -> pd.DataFrame:
    """Runs of the selected rates on fresh seeds, a tenth of scatter about 4 s or these times."""
    runs = made(
        StudySpec(rates=(0.1,), seeds=seeds, cap=60.0),
        lambda trial: times.get(trial.optimizer, 4.0) * (0.95 if trial.seed % 2 else 1.05),
    )
    return runs.assign(seed=runs["seed"] + 5000)


def test_fresh_seeds_count_before_those_that_selected() -> None:
    """The grid says that Adam takes half the time, fresh seeds that it takes the double."""
    grid = board(six(adam=".....2xxxxx"))
    alone = CLAIMS["adam-fastest"].judge([grid])
    assert alone.statistic == 0.5
    for times, verdict in (({"adam": 8.0}, FAILS), ({"adam": 2.0}, HOLDS), ({}, UNDECIDED)):
        confirmed = replace(grid, confirmed=fresh(6, **times))
        found = CLAIMS["adam-fastest"].judge([confirmed])
        assert found.verdict == verdict
        assert found.statistic == pytest.approx(times.get("adam", 4.0) / 4)
        assert "the times are those of fresh seeds" in found.reason
    for too_few in (fresh(2, adam=8.0), fresh(6, adam=8.0).query("optimizer != 'sgd'")):
        found = CLAIMS["adam-fastest"].judge([replace(grid, confirmed=too_few)])
        assert found.reason == alone.reason


def test_fresh_seeds_are_those_of_the_judged_grid_alone() -> None:
    """Not those of its other widths, nor those of another study that was confirmed."""
    grid = board(six(adam=".....2xxxxx"))
    alone = CLAIMS["adam-fastest"].judge([grid])
    narrow = fresh(6, adam=8.0)
    both = pd.concat([narrow, fresh(6, adam=1.0).assign(width=9.0)])
    found = CLAIMS["adam-fastest"].judge([replace(grid, confirmed=both)])
    assert found.statistic == pytest.approx(2)
    other = replace(board(six(), seeds=1), confirmed=narrow)
    small = replace(other, spec=other.spec.with_(rates=grid.spec.rates[:3]))
    assert CLAIMS["adam-fastest"].judge([grid, small]).reason == alone.reason


def test_too_few_fresh_seeds_are_told() -> None:
    """The claims take none of them then, which a person could not see; nor do failed ones count."""
    grid = board(six(adam=".....2xxxxx"))
    one_failed = fresh(3)
    one_failed.loc[(one_failed["optimizer"] == "sgd") & (one_failed["seed"] == 5001), "outcome"] = (
        "failed"
    )
    for runs, told in (
        (fresh(1), "1 fresh seed of "),
        (fresh(2), "2 fresh seeds of "),
        (one_failed, "2 fresh seeds of sgd: "),
        (fresh(6).query("optimizer != 'sgd'"), "0 fresh seeds of sgd: "),
        (fresh(3), ""),
        (pd.DataFrame(), ""),
    ):
        known = [replace(grid, confirmed=runs)]
        said = " ".join(about(known))
        assert ("confirm has trained" in said) == bool(told)
        assert told in said
        (adam,) = (CLAIMS["adam-fastest"].judge(known).reason,)
        assert ("those of fresh seeds" in adam) == (not told and len(runs) > 0)
