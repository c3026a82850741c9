"""Searches for a rate at a fixed budget of steps: random search, successive halving, and Optuna's
TPE with its Hyperband pruner.

Each trains candidates for a while and keeps the one whose accuracy over its last steps is highest;
none looks at the seconds to a target.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from study.engines.learner import Floats, Learner, advance_finite, array_size, held, padded
from study.errors import StudyError

LOOK = 50
"""Steps that an accuracy is the mean of, and between two looks at it; at most two chunks of
`learner.CHUNK`.
"""


CANDIDATES = 12
"""Rates of a random search."""


KEEP = 3
"""Successive halving keeps one candidate of so many, and its last rung has at most so many."""


MOST = 500
"""Steps that Optuna's candidates take at most."""


Make = Callable[[Sequence[float]], Learner]
"""A fresh learner with at least a lane for each rate."""


@dataclass(frozen=True)
class Found:
    """The rate that a search ends with, None where every candidate diverged; its score, and the
    steps of all candidates together.
    """

    rate: float | None
    score: float
    steps: int


def random_search(
    make: Make, low: float, high: float, budget: int, random: np.random.Generator
) -> Found:
    """Rates drawn log-uniformly, each trained for an equal share of the budget (Bergstra and Bengio
    2012).

    Args:
        make: makes learners.
        low: lowest rate.
        high: highest rate.
        budget: steps of all candidates together.
        random: draws the rates.
    """
    rates = _drawn(low, high, CANDIDATES, random)
    each = _share(budget, CANDIDATES)
    scores = _train(make(rates), rates, each)
    return _best(rates, scores, each * CANDIDATES)


def successive_halving(
    make: Make, low: float, high: float, budget: int, random: np.random.Generator, candidates: int
) -> Found:
    """Candidates train together; a third goes on, until as few as `KEEP` are left, each rung with
    an equal share of the budget.

    Weights are carried on from rung to rung (Karnin et al. 2013, Jamieson and Talwalkar 2016).

    Args:
        make: makes learners.
        low: lowest rate.
        high: highest rate.
        budget: steps of all candidates together.
        random: draws the rates.
        candidates: rates of the first rung.
    """
    rates = _drawn(low, high, candidates, random)
    rungs = max(1, math.ceil(math.log(candidates / KEEP, KEEP) - 1e-9) + 1)
    learner, steps = make(rates), 0
    for rung in range(rungs):
        each = _share(budget // rungs, len(rates))
        scores = _train(learner, rates, each)
        steps += each * len(rates)
        if rung + 1 < rungs:
            best = sorted(range(len(rates)), key=lambda i: -scores[i])[: max(1, len(rates) // KEEP)]
            learner.take(padded(best, array_size(len(best))))
            learner.prepare()
            rates = [rates[i] for i in best]
    return _best(rates, scores, steps)


def optuna_search(make: Make, low: float, high: float, budget: int, seed: int) -> Found:
    """Optuna asks for one rate after another until the budget is spent; a candidate trains for
    `MOST` steps unless it is pruned.

    TPE proposes, Hyperband prunes (Akiba et al. 2019, Bergstra et al. 2011, Li et al. 2018).

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
    # Hyperband deals candidates to its brackets by the study's name, so a fixed one makes the
    # search repeatable.
    pruner = optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=MOST // LOOK, reduction_factor=3
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
        learner, score, pruned = make([rate]), -1.0, False
        for look in range(1, MOST // LOOK + 1):
            if steps + LOOK > budget:
                break
            score = _train(learner, [rate], LOOK)[0]
            steps += LOOK
            trial.report(score, look)
            pruned = score < 0 or trial.should_prune()
            if pruned:
                break
        study.tell(
            trial,
            None if pruned else score,
            state=optuna.trial.TrialState.PRUNED if pruned else None,
        )
    done = [
        (trial.value, trial.params["rate"])
        for trial in study.trials
        if trial.value is not None and trial.value >= 0
    ]
    if not done:
        return Found(None, -1.0, steps)
    score, rate = max(done)
    return Found(rate, score, steps)


def _drawn(low: float, high: float, count: int, random: np.random.Generator) -> list[float]:
    return [float(rate) for rate in np.exp(random.uniform(math.log(low), math.log(high), count))]


def _share(budget: int, candidates: int) -> int:
    """Steps of each of so many candidates.

    Raises:
        StudyError: there is less than one look for each.
    """
    each = budget // candidates
    if each < LOOK:
        raise StudyError(
            f"a budget of {budget} steps is less than {LOOK} for each of {candidates} candidates"
        )
    return each


def _train(learner: Learner, rates: Sequence[float], steps: int) -> list[float]:
    """Train each lane at its rate; accuracies over the last `LOOK` steps, -1 for a loss that is not
    finite.
    """
    recent: deque[Floats] = deque(maxlen=2)
    for _, correct, finite in advance_finite(learner, held(rates, steps, learner.lanes)):
        recent.append(correct)
        fine = finite
    accuracy = np.concatenate(recent)[-LOOK:].mean(axis=0, dtype=np.float64)
    return [
        float(value) if ok else -1.0
        for value, ok in zip(accuracy[: len(rates)], fine, strict=False)
    ]


def _best(rates: Sequence[float], scores: Sequence[float], steps: int) -> Found:
    at = int(np.argmax(scores))
    return Found(rates[at] if scores[at] >= 0 else None, scores[at], steps)
