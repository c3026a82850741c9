"""Searches at a fixed budget on parabolas, whose best rate and whose divergence are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from study.engines.learner import array_size
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


class Told(Parabola):
    """Lanes whose accuracy at a step is told by a function of rate and step; a rate above 1e3 has
    a loss that is not finite.
    """

    def __init__(self, rates: Sequence[float], accuracy: Callable[[Any, int], Any]) -> None:
        super().__init__([1.0] * array_size(len(rates)))
        self.accuracy, self.step, self.sizes_kept = accuracy, 0, [self.lanes]

    def advance(self, rates: Any, momenta: Any = None) -> Any:
        steps = range(self.step, self.step + len(rates))
        self.step += len(rates)
        correct = np.array([self.accuracy(row, t) for row, t in zip(rates, steps, strict=True)])
        return np.where(rates > 1e3, np.inf, 1.0), correct

    def keep(self, lanes: Sequence[int]) -> None:
        self.calls.append("keep")
        self.lanes = len(lanes)
        self.sizes_kept.append(self.lanes)


def by_rate(rate: Any, step: int) -> Any:
    """The higher the rate the better, up to 1."""
    return np.clip(np.log10(rate) / 10 + 0.5, 0, 1)


@pytest.mark.parametrize("steps", [50, 60, 99, 100, 149])
def test_the_score_is_the_mean_over_the_last_fifty_steps(steps: int) -> None:
    """However the steps are cut into chunks; the share of the budget is rounded down."""
    made: list[Told] = []

    def make(rates: Sequence[float]) -> Told:
        made.append(Told(rates, lambda rate, t: np.full(len(rate), t / 1000)))
        return made[-1]

    found = budgeted.random_search(make, 0.1, 1.0, 12 * steps + 11, np.random.default_rng(0))
    assert found.steps == 12 * steps
    assert found.score == pytest.approx(np.arange(steps - 50, steps).mean() / 1000)
    assert made[0].step == steps
    assert found.rate == pytest.approx(
        math.exp(np.random.default_rng(0).uniform(math.log(0.1), 0.0, 12)[0])
    ), "the first of equals"


def test_an_accuracy_of_nothing_is_a_score() -> None:
    """One lane diverged, the others learn nothing: it is no rate, they are."""

    def make(rates: Sequence[float]) -> Told:
        return Told(rates, lambda rate, t: np.zeros(len(rate)))

    found = budgeted.random_search(make, 900.0, 1100.0, 600, np.random.default_rng(0))
    assert found.score == 0
    assert found.rate is not None
    assert found.rate <= 1e3


@pytest.mark.parametrize(
    ("candidates", "kept"),
    [
        (1, [1]),
        (2, [2]),
        (3, [3]),
        (4, [4, 1]),
        (9, [9, 3]),
        (10, [10, 3, 1]),
        (27, [27, 9, 3]),
        (28, [28, 9, 3, 1]),
        (243, [243, 81, 27, 9, 3]),
    ],
)
def test_rungs_end_with_at_most_three(candidates: int, kept: list[int]) -> None:
    """Each has an equal part of the budget, rounded down, and the best third goes on."""
    learners: list[Told] = []

    def make(rates: Sequence[float]) -> Told:
        learners.append(Told(rates, by_rate))
        return learners[-1]

    budget = 250 * candidates * len(kept) + 1
    draw = np.random.default_rng(1)
    found = budgeted.successive_halving(make, 1e-4, 1.0, budget, draw, candidates)
    part = budget // len(kept)
    assert found.steps == sum(part // lanes * lanes for lanes in kept)
    (learner,) = learners
    assert learner.sizes_kept == [array_size(lanes) for lanes in kept]
    assert learner.calls == ["keep", "prepare"] * (len(kept) - 1)
    rates = np.exp(np.random.default_rng(1).uniform(math.log(1e-4), 0.0, candidates))
    assert found.rate == pytest.approx(rates.max())


@pytest.mark.parametrize(("budget", "fine"), [(599, False), (600, True)])
def test_each_candidate_is_looked_at_once_at_least(budget: int, fine: bool) -> None:
    """Fifty steps are enough."""
    make, draw = Counted(), np.random.default_rng(0)
    if fine:
        assert budgeted.random_search(make, 1e-3, 1.0, budget, draw).steps == 600
    else:
        with pytest.raises(
            StudyError, match=f"budget of 599 steps is less than {LOOK} for each of 12"
        ):
            budgeted.random_search(make, 1e-3, 1.0, budget, draw)


@pytest.mark.parametrize("budget", [0, 49, 50, 99, 100, 3000])
@pytest.mark.parametrize("high", [1.0, 1e8])
def test_optuna_is_asked_as_its_own_loop_would_ask(budget: int, high: float) -> None:
    """Its `optimize` on the same accuracies finds the same candidates: looks of 50 steps, at most
    ten, and TPE and Hyperband with a factor of three.
    """
    optuna = pytest.importorskip("optuna")
    ours: list[float] = []

    def make(rates: Sequence[float]) -> Told:
        ours.extend(rates)
        return Told(rates, by_rate_and_time)

    def by_rate_and_time(rate: Any, t: int) -> Any:
        return by_rate(rate, t) * (1 - 0.5 ** (t // 50 + 1))

    found = budgeted.optuna_search(make, 1e-8, high, budget, 3)
    theirs, left = [], [budget // 50]

    def objective(trial: Any) -> float:
        rate = trial.suggest_float("rate", 1e-8, high, log=True)
        theirs.append(rate)
        looks = min(10, left[0])
        for look in range(1, looks + 1):
            left[0] -= 1
            score = -1.0 if rate > 1e3 else float(by_rate_and_time(rate, 50 * (look - 1)))
            trial.report(score, look)
            if score < 0 or trial.should_prune():
                raise optuna.TrialPruned
        return score

    study = optuna.create_study(
        study_name="rates",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=3),
        pruner=optuna.pruners.HyperbandPruner(1, 10, 3),
    )
    while left[0]:
        study.optimize(objective, n_trials=1)
    assert ours == theirs
    assert found.steps == budget // 50 * 50
    done = [one for one in study.trials if one.value is not None and one.value >= 0]
    if done:
        best = max(done, key=lambda one: one.value)
        assert found.rate == best.params["rate"]
        assert found.score == pytest.approx(best.value)
    else:
        assert found == Found(None, -math.inf, found.steps)
