"""The grid that claims on rates are judged on, and ratios of its times."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from study.claims.evidence import Evidence
from study.claims.frame import (
    NO_GRID,
    Grid,
    best_seconds,
    grid_of,
    judged_study,
    no_grid,
    ratio,
    ratio_over_seeds,
    seeds_in_words,
    states,
    times_in_words,
)
from study.tables.intervals import Floats
from support.claims.boards import RATES, board, six

inf = math.inf
LINE = "?fp.xd444xx"


def grid(study: Evidence) -> Grid:
    """There is one."""
    found = grid_of([study])
    assert found is not None
    return found


def test_most_seeds_must_arrive_and_half_must_fail() -> None:
    """By hand, for each number of arrivals and of failures of up to five seeds."""
    for seeds in range(1, 6):
        for arrived, failed in product(range(seeds + 1), repeat=2):
            if arrived + failed > seeds:
                continue
            a, b = np.zeros((2, 1, seeds), bool)
            a[0, :arrived] = True
            b[0, seeds - failed :] = True
            state = 1 if arrived > seeds / 2 else -1 if failed >= seeds / 2 else 0
            assert states(a, b).tolist() == [state], (seeds, arrived, failed)


def test_a_grid_holds_the_least_and_the_most_that_each_trial_may_take() -> None:
    """An arrival its seconds; a capped trial more than its cap; what broke for ever; of what is
    missing, failed or pruned nothing is known.
    """
    found = grid(board({"sgd": LINE, "adam": LINE}, seeds=2))
    low = [0, 0, 0, 60, inf, inf, 4, 4, 4, inf, inf]
    high = [inf] * 6 + [4] * 3 + [inf] * 2
    for i, seed in product((0, 1), repeat=2):
        assert found.low[i, :, seed].tolist() == low
        assert found.high[i, :, seed].tolist() == high
    assert found.outcomes[0, :, 0].tolist() == [
        "", "failed", "pruned", "capped", "stuck", "diverged", *["reached"] * 3, *["stuck"] * 2
    ]  # fmt: skip
    assert found.state.tolist() == [[0, 0, 0, -1, -1, -1, 1, 1, 1, -1, -1]] * 2
    assert (found.seeds, found.missing, found.short, found.long) == (2, 12, 0, True)
    assert found.optimizers == ("sgd", "adam")
    assert found.rates.tolist() == list(RATES)
    assert not found.all_six
    assert grid(board(six())).all_six


@pytest.mark.parametrize(("cap", "long"), [(60.0, True), (59.9, False), (61.0, True)])
def test_a_cap_of_fifteen_times_the_fastest_is_long(cap: float, long: bool) -> None:
    """Then a capped trial counts as one that fails; under a shorter one it may be slow."""
    found = grid(board({"sgd": LINE, "adam": "." * 11}, cap=cap))
    assert found.long == long
    assert found.state[1].tolist() == [-1 if long else 0] * 11
    assert found.short == (0 if long else 12)
    nothing = grid(board({"sgd": "." * 11, "adam": "." * 11}))
    assert not nothing.long


def test_a_grid_spans_five_decades_with_two_rates_in_each() -> None:
    """Exactly so many are enough; and several optimizers are wanted."""
    both = {"sgd": "4" * 11, "adam": "4" * 11}
    assert grid_of([board(both)]) is not None
    assert grid_of([]) is None
    assert grid_of([board({"sgd": "4" * 11})]) is None
    fewer = (*RATES[:5], *RATES[6:])
    short = (*RATES[:-1], 9.9)
    assert grid_of([board(both, rates=fewer)]) is None
    assert grid_of([board(both, rates=short)]) is None
    assert grid_of([board(both, rates=RATES[:-1])]) is None
    denser = (*RATES[:-1], 5.0, 9.999)
    assert grid_of([board({"sgd": "4" * 12, "adam": "4" * 12}, rates=denser)]) is not None


def test_the_spec_decides_which_grid_judges() -> None:
    """The one of most optimizers, then rates, then seeds, then by name; with no run at all too."""
    two, three = (
        {"sgd": "4" * 11, "adam": "4" * 11},
        dict.fromkeys(("sgd", "adam", "rmsprop"), "4" * 11),
    )
    more = board(dict.fromkeys(two, "4" * 12), rates=(*RATES[:-1], 5.0, 10.0), name="rates")
    seeds = board(two, seeds=2, name="seeds")
    most = board(three, name="optimizers")
    last, first = board(two, name="z"), board(two, name="a")
    order = [first, last, seeds, more, most]
    for i in range(1, len(order)):
        for studies in (order[: i + 1], order[i::-1]):
            found = grid_of(studies)
            assert found is not None
            assert found.name == order[i].spec.name
    empty = grid(replace(most, runs=most.runs.iloc[:0]))
    assert (empty.name, empty.optimizers, empty.seeds) == ("optimizers", tuple(three), 1)
    assert (empty.low.shape, empty.missing, empty.long) == ((3, 11, 1), 33, False)
    assert not empty.low.any()
    assert np.isposinf(empty.high).all()
    assert set(empty.outcomes.ravel()) == {""}
    assert empty.state.tolist() == [[0] * 11] * 3


@pytest.mark.parametrize(("widths", "judged"), [((2.0, 1.0), 1.0), ((2.0, 3.0), 2.0)])
def test_width_1_is_judged_or_else_the_first(widths: tuple[float, float], judged: float) -> None:
    """Other widths count for nothing."""
    study = board({"sgd": "4" * 11, "adam": "4" * 11}, widths=widths)
    runs = study.runs.assign(seconds=4.0 * study.runs["width"])
    assert set(grid(replace(study, runs=runs)).low.ravel()) == {4.0 * judged}


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [(3, 2, 1.5), (3, inf, 0), (inf, 3, inf), (inf, inf, 1), (3, 0, inf), (0, 3, 0), (inf, 0, inf)],
)
def test_a_ratio_of_times_may_be_infinite(a: float, b: float, wanted: float) -> None:
    """Number by number, and over arrays."""
    assert float(ratio(a, b)) == wanted
    assert ratio(np.full((2, 3), a), b).tolist() == [[wanted] * 3] * 2


def first(low: Floats, high: Floats) -> Floats:
    """A ratio of the first optimizer's best time to the second's, the least that it may be."""
    return ratio(best_seconds(low)[..., 0], best_seconds(high)[..., 1])


def last(low: Floats, high: Floats) -> Floats:
    """The same, the most."""
    return ratio(best_seconds(high)[..., 0], best_seconds(low)[..., 1])


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_a_ratio_has_an_interval_over_resampled_seeds(seeds: int) -> None:
    """Over all resamples there are; fewer than five seeds are as uncertain as 1.5 either way, and
    fewer than three have that alone.
    """
    times = {"sgd": "83975"[:seeds], "adam": "24442"[:seeds]}
    lines = {name: ["." * 5 + value + "." * 5 for value in row] for name, row in times.items()}
    found = ratio_over_seeds(grid(board(lines, seeds=seeds)), first, last)
    sgd, adam = (np.array([float(value) for value in row]) for row in times.values())
    value = np.median(sgd) / np.median(adam)
    low = high = value
    if seeds >= 3:
        drawn = np.array(list(product(range(seeds), repeat=seeds)))
        ratios = np.median(sgd[drawn], axis=1) / np.median(adam[drawn], axis=1)
        low, high = np.quantile(ratios, [0.025, 0.975], method="inverted_cdf")
    if seeds < 5:
        low, high = min(low, value / 1.5), max(high, value * 1.5)
    assert found == pytest.approx((value, low, high))


def test_what_is_not_known_widens_a_ratio() -> None:
    """From nothing to infinity; its value is then the least that it may be."""
    lines = {"sgd": [".....4.....", ".....?.....", ".....?....."], "adam": "....." + "2" + "....."}
    assert ratio_over_seeds(grid(board(lines, seeds=3)), first, last) == (0, 0, inf)
    known = {"sgd": "....." + "4" + ".....", "adam": "....." + "2" + "....."}
    assert ratio_over_seeds(grid(board(known, seeds=5)), first, last) == (2, 2, 2)


def test_what_was_judged_is_said() -> None:
    """How many seeds, what is missing, and what a short cap leaves open."""
    some = grid(board({"sgd": LINE, "adam": LINE}, cap=30.0))
    assert seeds_in_words(some) == ("1 seed, so a ratio is taken to be uncertain by 1.5 either way")
    assert judged_study(some) == (
        "; 6 of 22 trials are missing or were given up early and 2 ran out of a cap too short to "
        "tell (study board)"
    )
    both = {"sgd": "...4.......", "adam": "4444444xxxx"}
    assert judged_study(grid(board(both, cap=30.0))) == (
        "; 10 ran out of a cap too short to tell (study board)"
    )
    many = grid(board({"sgd": "4" * 11, "adam": "4444444xxxx"}, seeds=5))
    assert seeds_in_words(many) == "5 seeds"
    assert seeds_in_words(grid(board(both, seeds=4))).startswith("4 seeds, so a ratio")
    assert judged_study(many) == " (study board)"
    assert no_grid(None) == NO_GRID
    assert no_grid(some) == "not all six optimizers were tried"
    assert NO_GRID == (
        "no study tries several optimizers at rates over 5 decades, 2 in each: such as "
        "`run article`"
    )
    assert (times_in_words(2.25), times_in_words(inf)) == ("2.2 times", "never there, against")
