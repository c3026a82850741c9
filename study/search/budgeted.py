"""Searches for a rate with a fixed budget of steps: random search, successive halving, Optuna.

Each trains candidates for a while, and keeps the one with the highest accuracy over its last steps.
None looks at the seconds to a target.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.engines.learner import (
    Floats,
    Learner,
    advance_finite,
    array_size,
    constant_rates,
    padded,
)
from study.errors import StudyError

LOOK = 50
"""Steps between two looks at a candidate; its accuracy is the mean over them. It is at most two
chunks of `learner.CHUNK`.
"""


CANDIDATES = 12
"""Rates of a random search."""


KEEP = 3
"""Successive halving keeps one candidate of `KEEP`, until at most `KEEP` are left."""


CANDIDATE_STEPS = 500
"""Largest number of steps of a candidate of Optuna's."""


DIVERGED = -math.inf
"""The score of a candidate whose loss was not finite."""


WORST = {1: -1.0, -1: -1e30}
"""What Optuna is told of such a candidate, by the sign of the metric: it takes no infinity."""


Make = Callable[[Sequence[float]], Learner]
"""A fresh learner with at least a lane for each rate."""


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Args:
        rate: the best rate; None where every candidate diverged.
        score: its metric, the larger the better: an accuracy, or minus a loss;
            minus infinity where every candidate diverged.
        steps: steps of all candidates together.
    """

    rate: float | None
    score: float
    steps: int


def random_search(
    make: Make, low: float, high: float, budget: int, random: np.random.Generator
) -> Found:
    """Draw rates log-uniformly, and train each for an equal part of the budget.

    Bergstra and Bengio 2012.

    Args:
        make: makes learners.
        low: lowest rate.
        high: highest rate.
        budget: steps of all candidates together.
        random: draws the rates.

    Raises:
        StudyError: the budget leaves less than `LOOK` steps for each candidate.
    """
    rates = _drawn(low, high, CANDIDATES, random)
    each = _share(budget, CANDIDATES)
    scores = _train(make(rates), rates, each)
    return _best(rates, scores, each * CANDIDATES)


def successive_halving(
    make: Make, low: float, high: float, budget: int, random: np.random.Generator, candidates: int
) -> Found:
    """Train candidates together in rungs; the best third of a rung goes on to the next.

    Each rung has an equal part of the budget; the last has at most `KEEP` candidates. Weights are
    kept from rung to rung. Karnin et al. 2013, Jamieson and Talwalkar 2016.

    Args:
        make: makes learners.
        low: lowest rate.
        high: highest rate.
        budget: steps of all candidates together.
        random: draws the rates.
        candidates: rates of the first rung.

    Raises:
        StudyError: the budget leaves less than `LOOK` steps for each candidate of a rung.
    """
    rates = _drawn(low, high, candidates, random)
    rungs = max(1, math.ceil(math.log(candidates / KEEP, KEEP) - 1e-9) + 1)
    learner, steps, before = make(rates), 0, 0
    for rung in range(rungs):
        each = _share(budget // rungs, len(rates))
        scores = _train(learner, rates, each)
        # A program takes the steps of the rungs before once more.
        steps += (each + (before if getattr(learner, "again", False) else 0)) * len(rates)
        before += each
        if rung + 1 < rungs:
            best = sorted(range(len(rates)), key=lambda i: -scores[i])[: len(rates) // KEEP]
            learner.keep(padded(best, array_size(len(best), learner.sizes)))
            learner.prepare()
            rates = [rates[i] for i in best]
    return _best(rates, scores, steps)


def optuna_search(make: Make, low: float, high: float, budget: int, seed: int) -> Found:
    """Train one candidate of Optuna's after another until the budget is spent.

    TPE proposes the rates, Hyperband prunes. A candidate that is not pruned takes `CANDIDATE_STEPS`
    steps. Akiba et al. 2019, Bergstra et al. 2011, Li et al. 2018.

    Args:
        make: makes learners.
        low: lowest rate.
        high: highest rate.
        budget: steps of all candidates together.
        seed: of the sampler.

    Raises:
        StudyError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise StudyError(
            "Optuna is not installed: pip install optuna, or leave the method out"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Hyperband assigns candidates to its brackets by the name of the study. A fixed name makes the
    # search repeatable.
    pruner = optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=CANDIDATE_STEPS // LOOK, reduction_factor=3
    )
    study = optuna.create_study(
        study_name="rates",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=pruner,
    )
    steps = 0
    while steps + LOOK <= budget:
        trial = study.ask()
        rate = trial.suggest_float("rate", low, high, log=True)
        looks = min(CANDIDATE_STEPS, budget - steps) // LOOK
        score, taken, pruned = _train_candidate(trial, make([rate]), rate, looks)
        steps += taken
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, score)
    done = [
        (trial.value, trial.params["rate"])
        for trial in study.trials
        if trial.value is not None and trial.value not in WORST.values()
    ]
    if not done:
        return Found(None, DIVERGED, steps)
    score, rate = max(done)
    return Found(rate, score, steps)


def _train_candidate(
    trial: Any, learner: Learner, rate: float, looks: int
) -> tuple[float, int, bool]:
    """Train a candidate until Optuna prunes it: its last score, its steps, whether pruned."""
    score = DIVERGED
    for look in range(1, looks + 1):
        score = _train(learner, [rate], LOOK)[0]
        trial.report(score if score > DIVERGED else WORST[learner.sign], look)
        if score == DIVERGED or trial.should_prune():
            return score, look * LOOK, True
    return score, looks * LOOK, False


def _drawn(low: float, high: float, count: int, random: np.random.Generator) -> list[float]:
    return [float(rate) for rate in np.exp(random.uniform(math.log(low), math.log(high), count))]


def _share(budget: int, candidates: int) -> int:
    """Steps of each candidate; raises `StudyError` if they are less than `LOOK`."""
    each = budget // candidates
    if each < LOOK:
        raise StudyError(
            f"a budget of {budget} steps is less than {LOOK} for each of {candidates} candidates"
        )
    return each


def _train(learner: Learner, rates: Sequence[float], steps: int) -> list[float]:
    """Train each lane at its rate.

    Returns:
        The metric of each over its last `LOOK` steps, the larger the better; minus infinity where
        a loss was not finite.
    """
    recent: deque[Floats] = deque(maxlen=2)
    for _, correct, finite in advance_finite(learner, constant_rates(rates, steps, learner.lanes)):
        recent.append(correct)
        fine = finite
    accuracy = learner.sign * np.concatenate(recent)[-LOOK:].mean(axis=0, dtype=np.float64)
    return [
        float(value) if ok and math.isfinite(value) else DIVERGED
        for value, ok in zip(accuracy[: len(rates)], fine, strict=False)
    ]


def _best(rates: Sequence[float], scores: Sequence[float], steps: int) -> Found:
    at = int(np.argmax(scores))
    return Found(rates[at] if scores[at] > DIVERGED else None, scores[at], steps)
