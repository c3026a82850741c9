"""Claims on Adam: hand-made grids and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.claims.adam import DROP, NEAR_TARGET, drop
from study.claims.frame import NO_GRID
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from support.claims.boards import board, six

inf = math.inf
END = " (study board)"


def judge(id_: str, lines: Mapping[str, Any], **how: Any) -> Verdict:
    """A claim's verdict on a grid drawn by hand."""
    return CLAIMS[id_].judge([board(lines, **how)])


@pytest.mark.parametrize(
    ("adam", "seeds", "verdict", "room"),
    [(3.99, 5, HOLDS, 1.0), (4.0, 5, UNDECIDED, 1.0), (4.01, 5, FAILS, 1.0),
     (2.6, 4, HOLDS, 1.5), (2.7, 4, UNDECIDED, 1.5), (5.9, 4, UNDECIDED, 1.5),
     (6.1, 4, FAILS, 1.5)],
)  # fmt: skip
def test_adam_is_fastest_if_its_best_time_is_below_all_others(
    adam: float, seeds: int, verdict: str, room: float
) -> None:
    """Adagrad's is 4 s; the rest are slower. Few seeds are uncertain by 1.5 either way."""
    lines = six(".....79xxxx", adam=".....a8xxxx", adagrad="...64xxxxxx")
    found = judge("adam-fastest", lines, seeds=seeds, seconds={"a": adam})
    value = adam / 4
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx(
        (value, value / room, value * room)
    )
    assert found.threshold == 1
    words = "5 seeds" if seeds == 5 else (
        "4 seeds, so a ratio is taken to be uncertain by 1.5 either way"
    )  # fmt: skip
    assert found.reason == (
        f"at their best rates Adam takes {adam:.3g} s, adagrad 4 s ({words}){END}"
    )


def test_adam_that_never_arrives_takes_for_ever() -> None:
    """What a short cap leaves open takes more than the cap; where nothing arrived nothing is
    judged.
    """
    found = judge("adam-fastest", six(adam="x" * 11), seeds=5)
    assert (found.verdict, found.statistic) == (FAILS, inf)
    assert found.reason == f"at their best rates Adam takes for ever, sgd 4 s (5 seeds){END}"
    alone = judge("adam-fastest", six("x" * 11, adam="....." + "4" + "xxxxx"), seeds=5)
    assert (alone.verdict, alone.statistic, alone.low, alone.high) == (HOLDS, 0, 0, 0)
    assert "Adam takes 4 s, sgd for ever" in alone.reason
    short = judge("adam-fastest", six(adam="." * 11), seeds=5, cap=11.0)
    assert (short.verdict, short.low, short.high) == (FAILS, 11 / 4, inf)
    open_ = judge("adam-fastest", six(adam="....?" + "4" + "xxxxx"), seeds=5)
    assert (open_.verdict, open_.low, open_.high) == (UNDECIDED, 0, 1)
    for lines, said in (
        (six("x" * 11), f"nothing arrived at any rate{END}"),
        ({"sgd": "4" * 11, "adam": "4" * 11}, "not all six optimizers were tried"),
    ):
        nothing = judge("adam-fastest", lines)
        assert (nothing.verdict, nothing.threshold, nothing.reason) == (UNDECIDED, 1, said)
    assert CLAIMS["adam-fastest"].judge([]).reason == NO_GRID


@pytest.mark.parametrize(
    ("accuracy", "target", "diverged", "wanted"),
    [
        ([0.5, 0.95, 0.9, 0.97], 0.97, False, 0.05),
        ([0.5, 0.25, 0.75, 0.5], 0.75 + NEAR_TARGET, False, 0.25),
        ([0.5, 0.25, 0.75, 0.5], 0.75 + NEAR_TARGET + 1e-9, False, math.nan),
        ([0.75, 0.5, 0.875, 0.5], 0.75, False, 0.375),
        ([0.75, 0.8, 0.9], 0.75, False, 0.0),
        ([0.7], 0.7, False, 0.0),
        ([], 0.7, False, math.nan),
        ([], 0.7, True, math.nan),
        ([0.25], 0.97, True, 0.25),
        ([0.25, 0.5, 0.125], 0.97, True, 0.5),
    ],
)
def test_a_drop_is_the_largest_fall_once_near_the_target(
    accuracy: list[float], target: float, diverged: bool, wanted: float
) -> None:
    """From the best so far, once within five points; all of it where the training diverged."""
    assert (NEAR_TARGET, DROP) == (0.05, 0.02)
    how = [True] if diverged else []
    assert drop(np.array(accuracy), target, *how) == pytest.approx(wanted, nan_ok=True)


OTHERS = ("sgd", "momentum", "adagrad", "adadelta", "rmsprop")


def curves(drops: Mapping[str, Sequence[float]], **ends: str) -> pd.DataFrame:
    """Curves that come to 97 %, fall by so much, and rise again; a seed each."""
    rows = [
        {"optimizer": name, "seed": seed, "accuracy": value, "step": 50 * i, "width": 1.0,
         "outcome": ends.get(name, "capped")}
        for name, sizes in drops.items()
        for seed, size in enumerate(sizes)
        for i, value in enumerate((0.5, 0.97, 0.97 - size, 0.97))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def spread(adam: Sequence[float], falling: int, steady: int, seeds: int = 3) -> dict[str, Any]:
    """Adam's falls; of the others so many fall by three points, and so many by one; the rest are
    on both sides.
    """
    kinds = [[0.03] * seeds] * falling + [[0.01] * seeds] * steady
    kinds += [[0.01, 0.03, 0.03, 0.03][:seeds]] * (5 - falling - steady)
    return {"adam": adam, **dict(zip(OTHERS, kinds, strict=True))}


STABLE = [
    (spread([0.01] * 3, 3, 0), HOLDS, 3, 0),
    (spread([0.01] * 3, 2, 2), UNDECIDED, 2, 2),
    (spread([0.01] * 3, 2, 3), FAILS, 2, 3),
    (spread([0.03] * 3, 5, 0), FAILS, 5, 0),
    (spread([0.01, 0.01, 0.03], 5, 0), UNDECIDED, 5, 0),
    (spread([0.03] * 3, 0, 0), FAILS, 0, 0),
]


@pytest.mark.parametrize(("drops", "verdict", "falling", "steady"), STABLE)
def test_adam_is_stable_if_most_others_fall_and_it_does_not(
    drops: dict[str, Any], verdict: str, falling: int, steady: int
) -> None:
    """Over three seeds from the least to the largest; three of five others are most."""
    found = judge("adam-stable", six(), seeds=3, curves=curves(drops))
    assert found.verdict == verdict
    adam = sorted(drops["adam"])
    assert (found.statistic, found.low, found.high) == pytest.approx((adam[1], adam[0], adam[2]))
    assert found.threshold == DROP
    shown = ", ".join(f"{name} {100 * sorted(drops[name])[1]:.1f}" for name in sorted(drops))
    assert found.reason == (
        f"largest drops in points, medians over the seeds: {shown}{END}; {falling} of 5 others "
        f"surely drop, {steady} surely do not"
    )


def test_a_training_that_diverged_lost_all() -> None:
    """Its curve fell from the best accuracy to nothing, in each seed."""
    table = curves(spread([0.01] * 3, 5, 0), adam="diverged")
    found = judge("adam-stable", six(), seeds=3, curves=table)
    assert (found.verdict, found.low) == (FAILS, 0.97)


def test_curves_of_all_seeds_are_wanted_and_of_three() -> None:
    """Of Adam; an optimizer that lacks some is neither steady nor falling."""
    base = spread([0.01] * 3, 5, 0)
    for adam, seeds, words in (
        ([0.01] * 2, 2, "2 seeds"),
        ([0.01] * 2, 3, "3 seeds"),
        ([], 3, "3 seeds"),
    ):
        drops = {name: sizes[:seeds] for name, sizes in {**base, "adam": adam}.items()}
        found = judge("adam-stable", six(), seeds=seeds, curves=curves(drops))
        assert found.verdict == UNDECIDED
        assert found.reason.endswith(f"; Adam has curves of {words}")
        assert np.isnan([found.low, found.high]).all()
        value = 0.01 if adam else math.nan
        assert found.statistic == pytest.approx(value, nan_ok=True)
    far = curves(base)
    far.loc[far["optimizer"] == "adam", "accuracy"] -= 0.4
    assert judge("adam-stable", six(), seeds=3, curves=far).verdict == UNDECIDED
    fewer = {**base, "sgd": [0.03], "momentum": [0.03], "adagrad": [0.03]}
    found = judge("adam-stable", six(), seeds=3, curves=curves(fewer))
    assert found.verdict == UNDECIDED
    assert found.reason.endswith("; 2 of 5 others surely drop, 0 surely do not")


def test_adam_beside_others_is_wanted() -> None:
    """And curves; the reason says what is missing."""
    beside = "no study trains Adam beside other optimizers"
    for studies in (
        [],
        [board({"adam": "4" * 11})],
        [board({"sgd": "4" * 11, "rmsprop": "4" * 11})],
    ):
        found = CLAIMS["adam-stable"].judge(studies)
        assert (found.verdict, found.threshold, found.reason) == (UNDECIDED, DROP, beside)
    none = judge("adam-stable", {"sgd": "4" * 11, "adam": "4" * 11})
    assert none.reason == f"no validation curves are stored{END}"


@pytest.mark.parametrize(
    ("adam", "rest", "sure", "possible", "verdict"),
    [
        ("..44444xxxx", ".....44xxxx", (5, 2), (5, 2), HOLDS),
        (".....444xxx", ".....44xxxx", (3, 2), (3, 2), UNDECIDED),
        ("....4444xxx", ".....44xxxx", (4, 2), (4, 2), HOLDS),
        (".....4xxxxx", "...4444xxxx", (1, 4), (1, 4), FAILS),
        ("..?4444xxxx", ".....4?xxxx", (4, 1), (5, 2), HOLDS),
        ("..???44xxxx", ".....44xxxx", (2, 2), (5, 2), UNDECIDED),
    ],
)
def test_adam_is_wide_by_decades_of_rates_that_work(
    adam: str, rest: str, sure: tuple[int, int], possible: tuple[int, int], verdict: str
) -> None:
    """Less the median of the others', give or take a step of the grid, half a decade."""
    found = judge("adam-wide", six(rest, adam=adam, sgd="4" * 11))
    assert found.verdict == verdict
    value = (sure[0] - sure[1]) / 2
    low, high = (sure[0] - possible[1]) / 2 - 0.5, (possible[0] - sure[1]) / 2 + 0.5
    assert (found.statistic, found.low, found.high) == pytest.approx((value, low, high), abs=1e-4)
    assert found.threshold == 0
    assert found.reason.startswith(
        f"decades of working rates: sgd 5.50, momentum {sure[1] / 2:.2f}, adam {sure[0] / 2:.2f}, "
    )
    assert found.reason.endswith(END)


def test_adams_width_is_judged_among_all_six() -> None:
    """On a grid."""
    few = judge("adam-wide", {"sgd": "4" * 11, "adam": "4" * 11})
    assert (few.verdict, few.threshold) == (UNDECIDED, 0)
    assert few.reason == "not all six optimizers were tried"
    assert CLAIMS["adam-wide"].judge([]).reason == NO_GRID
