"""The grid that claims on rates are judged on, and ratios of its times."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from study.claims.evidence import Evidence
from study.claims.frame import (
    Grid,
    grid_of,
    judged_study,
    no_grid,
    ratio,
    states,
    times_in_words,
    without,
)
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
            assert states(a, b, seeds).tolist() == [state], (seeds, arrived, failed)


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
    assert not found.complete
    assert grid(board(six())).complete


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


@pytest.mark.parametrize(("rates", "least"), [(21, 3), (20, 3), (19, 0)])
def test_one_missing_of_twenty_is_no_faster_than_the_fastest(rates: int, least: float) -> None:
    """If more are missing, nothing is known of them."""
    grid_ = board(
        {"sgd": "?" + "3" + "4" * (rates - 2), "adam": "4" * rates},
        rates=tuple(np.geomspace(1e-5, 1, rates)),
    )
    more = replace(grid_, runs=grid_.runs.drop(grid_.runs.index[rates + 3]))
    assert grid(more).low[0, 0, 0] == least


@pytest.mark.parametrize(
    ("line", "wanted", "missing"),
    [
        ("44xx?xxxxxx", -1, 0),
        ("44..?..xxxx", -1, 0),
        ("44x.?xxxxxx", -1, 0),
        ("44444?xxxxx", 0, 2),
        ("444x??xxxxx", 0, 4),
        ("?xxxx4xxxxx", 0, 2),
        ("444xxf4xxxx", 0, 2),
    ],
)
def test_a_missing_trial_between_two_that_failed_counts_as_failed(
    line: str, wanted: int, missing: int
) -> None:
    """Not at the grid's edge, beside another gap or an arrival, or if an error ended it."""
    found = grid(board({"sgd": line, "adam": "4" * 11}, seeds=2))
    place = line.index("?" if "?" in line else "f")
    assert (found.state[0, place], found.missing) == (wanted, missing)
    assert found.assumed == (0 if missing else 2)
    said = "2 missing between two that failed count as failed"
    assert (said in judged_study(found)) == (not missing)


def test_seeds_of_the_same_cells_are_pooled() -> None:
    """Each trial once, whatever other studies are called; not of another protocol."""
    both = {"sgd": "4" * 11, "adam": "4" * 11}
    whole = board(both, seeds=2, name="whole")
    more = board({"adam": "8" * 2}, seeds=5, rates=RATES[3:5], name="more")
    other = board({"adam": "9" * 2}, seeds=9, rates=RATES[3:5], target=0.9)
    found = grid_of([other, more, whole])
    assert found is not None
    assert found.name == "whole"
    counts = found.asked.sum(axis=-1)
    assert counts[0].tolist() == [2] * 11
    assert counts[1].tolist() == [2, 2, 2, 5, 5, 2, 2, 2, 2, 2, 2]
    assert found.low[1, 3].tolist() == [4, 4, 8, 8, 8]
    assert found.medians[0][1].tolist() == [4, 4, 4, 8, 8, 4, 4, 4, 4, 4, 4]
    assert (found.seeds, found.missing) == (2, 0)
    assert (found.state == 1).all()


def test_what_was_judged_is_said() -> None:
    """What is missing, and what a short cap leaves open."""
    some = grid(board({"sgd": LINE, "adam": LINE}, cap=30.0))
    assert judged_study(some) == (
        "; 6 of 22 trials are missing or were given up early and 2 ran out of a cap too short to "
        "tell (study board)"
    )
    both = {"sgd": "...4.......", "adam": "4444444xxxx"}
    assert judged_study(grid(board(both, cap=30.0))) == (
        "; 10 ran out of a cap too short to tell (study board)"
    )
    many = grid(board({"sgd": "4" * 11, "adam": "4444444xxxx"}, seeds=5))
    assert judged_study(many) == " (study board)"
    assert without([], None, "sgd") == no_grid([])
    assert without([], some, "sgd") == "not all six optimizers were tried"
    assert without([], grid(board(six())), "sgd") == ""
    assert no_grid([]) == (
        "no study tries several optimizers at rates over 5 decades, 2 in each: such as "
        "`run article`"
    )
    assert (times_in_words(2.25), times_in_words(inf)) == ("2.2 times", "never there, against")
