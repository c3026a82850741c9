"""Searches at a fixed budget on parabolas, whose best rate and whose divergence are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from study.errors import StudyError
from study.search import budgeted
from study.search.budgeted import LOOK, Found
from support.parabola import Parabola

C = 0.02
"""Curvature at which 50 to 500 steps tell rates from about 0.2 to 100 apart; above 2 / C = 100
training diverges.
"""

SEARCHES: dict[str, Callable[[budgeted.Make, float, float, int, int], Found]] = {
    "random": lambda make, low, high, budget, seed: budgeted.random_search(
        make, low, high, budget, np.random.default_rng(seed)
    ),
    "halving": lambda make, low, high, budget, seed: budgeted.successive_halving(
        make, low, high, budget, np.random.default_rng(seed), 27
    ),
    "optuna": budgeted.optuna_search,
}


class Counted:
    """Parabolas of one curvature, with the steps that all their lanes of candidates took."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.learners: list[Parabola] = []

    def __call__(self, rates: Sequence[float]) -> Parabola:
        self.rates += rates
        self.learners.append(Parabola([C] * len(rates)))
        return self.learners[-1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SEARCHES)
def test_a_rate_that_trains_is_found_within_the_budget(name: str, seed: int) -> None:
    """Far below it nothing moves, above 2 / c it diverges; what is found is one of the candidates,
    and reaches what its score says.
    """
    make = Counted()
    found = SEARCHES[name](make, 1e-6, 1e6, 9000, seed)
    assert found.rate in make.rates
    assert found.rate is not None
    assert 0.05 / C * 0.01 < found.rate < 2 / C
    assert found.score > 0.1
    assert 0 < found.steps <= 9000


@pytest.mark.parametrize("name", SEARCHES)
def test_the_same_seed_finds_the_same(name: str) -> None:
    """And looks at the same candidates."""
    one, two = Counted(), Counted()
    assert SEARCHES[name](one, 1e-3, 1e3, 6000, 5) == SEARCHES[name](two, 1e-3, 1e3, 6000, 5)
    assert one.rates == two.rates


@pytest.mark.parametrize("name", SEARCHES)
def test_where_everything_diverges_there_is_no_rate(name: str) -> None:
    """None, not the least bad."""
    found = SEARCHES[name](Counted(), 9e4, 9e5, 6000, 0)
    assert found.rate is None


def test_halving_keeps_the_best_third() -> None:
    """27 candidates, then 9, then 3, a third of the budget each; weights are carried on."""
    make = Counted()
    found = budgeted.successive_halving(make, 1e-3, 0.1, 8100, np.random.default_rng(0), 27)
    (learner,) = make.learners
    assert found.steps == 27 * 100 + 9 * 300 + 3 * 900
    assert found.rate == max(make.rates)
    assert len(learner.w) == 4  # three, padded to an array's size


def test_random_search_draws_log_uniformly() -> None:
    """Over many draws the mean of the decades is the middle."""
    make = Counted()
    for seed in range(40):
        budgeted.random_search(make, 1e-4, 1.0, 600, np.random.default_rng(seed))
    assert len(make.rates) == 480
    assert abs(np.log10(make.rates).mean() + 2) < 5 * 4 / math.sqrt(12 * 480)


def test_a_budget_too_small_to_look_once_is_refused() -> None:
    """Naming it."""
    with pytest.raises(
        StudyError, match=f"a budget of 500 steps is less than {LOOK} for each of 12"
    ):
        budgeted.random_search(Counted(), 1e-3, 1.0, 500, np.random.default_rng(0))
