"""Claims on Adam: hand-made grids and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.claims.adam import DROP, LEARNT, ONE_DROP, drop
from study.claims.frame import no_grid
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.tables.best_rates import ONE_DRAW, best_margin
from support.claims.boards import board, six

inf = math.inf
END = " (study board)"


def judge(id_: str, lines: Mapping[str, Any], **how: Any) -> Verdict:
    """A claim's verdict on a grid drawn by hand."""
    return CLAIMS[id_].judge([board(lines, **how)])


@pytest.mark.parametrize(
    ("adam", "seeds", "verdict"),
    [(1.99, 5, HOLDS), (2.0, 5, UNDECIDED), (2.01, 5, FAILS), (0.7, 1, HOLDS),
     (0.74, 1, UNDECIDED), (7.0, 1, UNDECIDED), (7.2, 1, FAILS)],
)  # fmt: skip
def test_adam_is_fastest_if_its_best_time_is_below_all_others(
    adam: float, seeds: int, verdict: str
) -> None:
    """Adagrad's is 2 s; the rest are slower. One seed leaves room for what may be luck."""
    lines = six(".....79xxxx", adam=".....a8xxxx", adagrad="...62xxxxxx")
    found = judge("adam-fastest", lines, seeds=seeds, seconds={"a": adam})
    value, miss = adam / 2, 0.05 / 2  # of one claim alone
    room = [1.0, 1.0, 1.0]
    if seeds == 1:
        room = [best_margin(ONE_DRAW, 1, tied, miss) for tied in (10, 2, 1)]
    assert found.verdict == verdict
    assert (found.statistic, found.low, found.high) == pytest.approx(
        (value, value / room[0], value * room[1])
    )
    assert found.threshold == 1
    words = "5 seeds, uncertain by 1 times either way"
    if seeds == 1:
        words = f"1 seed, uncertain by {room[1]:.2g} times either way"
    assert found.reason == (
        f"at their best rates Adam takes {adam:.3g} s, adagrad 2 s ({words}){END}"
    )


def test_the_learning_curves_are_the_other_reading() -> None:
    """To which validation accuracies Adam is first; a tie is no win, and it decides nothing."""
    rows = [
        {"optimizer": name, "seed": 0, "seconds": second, "accuracy": accuracy}
        for name, late in (("adam", 0.0), ("sgd", 1.0), ("momentum", 0.0))
        for second, accuracy in ((1 + late, 0.81), (3, 0.86 if name == "adam" else 0.8),
                                 (4, 0.91), (5, 0.93))
    ]  # fmt: skip
    found = judge("adam-fastest", six(), seeds=5, curves=pd.DataFrame(rows))
    assert found.reason.endswith(
        "; of 80, 85, 90, 93 % validation accuracy Adam's curve is first to 85 %"
    )
    none = pd.DataFrame(rows).query("optimizer != 'adam'")
    assert "curve" not in judge("adam-fastest", six(), seeds=5, curves=none).reason


def test_adam_that_never_arrives_takes_for_ever() -> None:
    """What a short cap leaves open takes more than the cap; where nothing arrived nothing is
    judged.
    """
    found = judge("adam-fastest", six(adam="x" * 11), seeds=5)
    assert (found.verdict, found.statistic) == (FAILS, inf)
    said = "at their best rates Adam takes for ever, sgd 4 s (5 seeds, uncertain by 1 times"
    assert found.reason == f"{said} either way){END}"
    alone = judge("adam-fastest", six("x" * 11, adam="....." + "4" + "xxxxx"), seeds=5)
    assert (alone.verdict, alone.statistic, alone.low, alone.high) == (HOLDS, 0, 0, 0)
    assert "Adam takes 4 s, sgd for ever" in alone.reason
    short = judge("adam-fastest", six(adam="." * 11), seeds=5, cap=11.0)
    assert (short.verdict, short.low, short.high) == (FAILS, 11 / 4, inf)
    open_ = judge("adam-fastest", six(adam="....?" + "4" + "xxxxx"), seeds=5)
    assert (open_.verdict, open_.low, open_.high) == (UNDECIDED, 1, 1)
    for lines, said in (
        (six("x" * 11), f"nothing arrived at any rate{END}"),
        ({"sgd": "4" * 11, "adam": "4" * 11}, "not all six optimizers were tried"),
    ):
        nothing = judge("adam-fastest", lines)
        assert (nothing.verdict, nothing.threshold, nothing.reason) == (UNDECIDED, 1, said)
    assert CLAIMS["adam-fastest"].judge([]).reason == no_grid([])


@pytest.mark.parametrize(
    ("accuracy", "diverged", "wanted"),
    [
        ([0.5, 0.95, 0.9, 0.97], False, 0.05),
        ([0.5, 0.25, 0.75, 0.5], False, 0.25),
        ([0.499, 0.25, 0.75, 0.5], False, 0.25),
        ([0.499, 0.1, 0.875, 0.75], False, 0.125),
        ([0.75, 0.8, 0.9], False, 0.0),
        ([0.5], False, 0.0),
        ([0.4, 0.1], False, math.nan),
        ([], False, math.nan),
        ([], True, math.nan),
        ([0.25], True, 0.25),
        ([0.25, 0.5, 0.125], True, 0.5),
    ],
)
def test_a_drop_is_the_largest_fall_once_it_has_learnt(
    accuracy: list[float], diverged: bool, wanted: float
) -> None:
    """From the best so far, from 50 % on; all of it where the training diverged."""
    assert (LEARNT, DROP) == (0.5, 0.1)
    how = [True] if diverged else []
    assert drop(np.array(accuracy), *how) == pytest.approx(wanted, nan_ok=True)


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


OPEN = [0.1, 0.06, 0.16]
"""Drops of three seeds on both sides of ten points."""


def spread(adam: Sequence[float], falling: int, steady: int, seeds: int = 3) -> dict[str, Any]:
    """Adam's falls; of the others so many fall by thirty points, and so many by one; the rest are
    open.
    """
    kinds = [[0.3] * seeds] * falling + [[0.01] * seeds] * steady
    kinds += [OPEN[:seeds]] * (5 - falling - steady)
    return {"adam": adam, **dict(zip(OTHERS, kinds, strict=True))}


STABLE = [
    (spread([0.01] * 3, 3, 0), HOLDS, 3, 0),
    (spread([0.01] * 3, 2, 2), UNDECIDED, 2, 2),
    (spread([0.01] * 3, 2, 3), FAILS, 2, 3),
    (spread([0.3] * 3, 5, 0), FAILS, 5, 0),
    (spread(OPEN, 5, 0), UNDECIDED, 5, 0),
    (spread([0.3] * 3, 2, 2), FAILS, 2, 2),
    (spread([0.066], 3, 0, 1), HOLDS, 3, 0),
    (spread([0.067], 3, 0, 1), UNDECIDED, 3, 0),
]


@pytest.mark.parametrize(("drops", "verdict", "falling", "steady"), STABLE)
def test_adam_is_stable_if_most_others_fall_and_it_does_not(
    drops: dict[str, Any], verdict: str, falling: int, steady: int
) -> None:
    """Three of five others are most; one seed must be half as far again from ten points."""
    seeds = len(drops["adam"])
    found = judge("adam-stable", six(), seeds=seeds, curves=curves(drops))
    assert found.verdict == verdict
    assert found.statistic == pytest.approx(drops["adam"][0])
    assert found.threshold == DROP
    if seeds == 1:
        ends = found.low * ONE_DROP, found.high / ONE_DROP
        assert ends == pytest.approx((found.statistic, found.statistic))
    shown = ", ".join(f"{name} {100 * drops[name][0]:.1f}" for name in sorted(drops))
    assert found.reason == (
        f"largest drops in points, medians of {seeds} seed{'s' if seeds > 1 else ''}"
        f"{', and how much drops scatter is not known' if seeds == 1 else ''}: {shown}"
        f"{END}; {falling} of 5 others surely drop, {steady} surely do not"
    )


def test_drops_that_scatter_have_students_interval_of_their_logarithms() -> None:
    """Pooled over the optimizers, seed by seed."""
    drops = {name: [0.1, 0.2, 0.3] for name in ("adam", *OTHERS)}
    found = judge("adam-stable", six(), seeds=3, curves=curves(drops))
    logs = np.log([0.1, 0.2, 0.3])
    sd = math.sqrt(6 * float(((logs - logs.mean()) ** 2).sum()) / 12)
    t = float(stats.t.isf(0.05 / len(CLAIMS) / 6 / 2, 12))
    factor = math.exp(sd * math.sqrt(math.pi / 6) * t)
    assert (found.low, found.high) == pytest.approx((0.2 / factor, 0.2 * factor))


def test_a_training_that_diverged_lost_all() -> None:
    """Its curve fell from the best accuracy to nothing, in each seed."""
    table = curves(spread([0.01] * 3, 5, 0), adam="diverged")
    found = judge("adam-stable", six(), seeds=3, curves=table)
    assert found.verdict == FAILS
    assert found.low == pytest.approx(0.97)


def test_adams_curve_is_wanted_and_must_have_learnt() -> None:
    """Another's that did not learn is neither steady nor falling."""
    base = spread([0.01] * 3, 5, 0)
    table = curves(base)
    for lost in (
        table[table["optimizer"] != "adam"],
        table.assign(accuracy=table["accuracy"].where(table["optimizer"] != "adam", 0.4)),
    ):
        found = judge("adam-stable", six(), seeds=3, curves=lost)
        assert found.verdict == UNDECIDED
        assert found.reason == "Adam has no curve, or one that never learnt"
    two = table.assign(accuracy=table["accuracy"].where(~table["optimizer"].isin(OTHERS[:3]), 0.4))
    found = judge("adam-stable", six(), seeds=3, curves=two)
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


def band(line: str) -> tuple[int, int, int]:
    """Rates that work, those among them whose neighbours work, too, and those that may work."""
    near = [line[max(0, i - 1) : i + 2] for i in range(len(line))]
    sure = sum(set(part) == {"4"} for part in near)
    return line.count("4"), sure, sum("4" in part or line[i] in "?f" for i, part in enumerate(near))


@pytest.mark.parametrize(
    ("adam", "rest", "verdict"),
    [
        (".44444444xx", ".....44xxxx", HOLDS),
        ("...44444xxx", ".....44xxxx", UNDECIDED),
        (".....4xxxxx", ".44444444xx", FAILS),
        ("..?444444xx", ".....4?xxxx", HOLDS),
        ("..fff44xxxx", ".....44xxxx", UNDECIDED),
    ],
)
def test_adam_is_wide_by_decades_of_rates_that_work(adam: str, rest: str, verdict: str) -> None:
    """Less the median of the others'; each end of a band may lie a step off, half a decade."""
    found = judge("adam-wide", six(rest, adam=adam, sgd="4" * 11))
    assert found.verdict == verdict
    mine, others = band(adam), band(rest)
    value, low, high = mine[0] - others[0], mine[1] - others[2], mine[2] - others[1]
    assert (found.statistic, found.low, found.high) == pytest.approx(
        (value / 2, low / 2, high / 2), abs=1e-4
    )
    assert found.threshold == 0
    assert found.reason.startswith(
        f"decades of working rates: sgd 5.50, momentum {others[0] / 2:.2f}, "
        f"adam {mine[0] / 2:.2f}, "
    )
    assert found.reason.endswith(END)


def test_adams_width_is_judged_among_all_six() -> None:
    """On a grid."""
    few = judge("adam-wide", {"sgd": "4" * 11, "adam": "4" * 11})
    assert (few.verdict, few.threshold) == (UNDECIDED, 0)
    assert few.reason == "not all six optimizers were tried"
    assert CLAIMS["adam-wide"].judge([]).reason == no_grid([])
