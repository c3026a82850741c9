"""The methods of the contest: what each is given, and how it picks a rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from study.engines.learner import Engine
from study.errors import StudyError
from study.search import budgeted, finder, halving, population, staircase
from study.spec.goals import is_share, sign
from study.spec.trial import Trial
from study.tables.contests import Pick

SWEEP_STEPS = 300
"""Steps of a sweep of the finder."""


BUDGET = 6000
"""Steps of a search with a budget: random search, successive halving, Optuna, a population."""


HOLD_STEPS = 50
"""Steps that a staircase, or halving, takes at a rate."""


UNITS = 5
"""Units into which a staircase divides the steps at a rate."""


DEFAULTS = {
    "sgd": 0.01,
    "momentum": 0.01,
    "adam": 0.001,
    "adagrad": 0.001,
    "adadelta": 0.001,
    "rmsprop": 0.001,
}
"""Keras 3's own rates, which are picked where nothing is searched."""


@dataclass(frozen=True)
class Problem:
    """What a method is given.

    Args:
        engine: makes the learners.
        trials: a trial of each optimizer, with the seed.
        seed: of the search.
        low, high: the bounds of the rates.
        budget: steps of a search with a budget, for one optimizer.
    """

    engine: Engine
    trials: Mapping[str, Trial]
    seed: int
    low: float
    high: float
    budget: int

    def make(self, optimizer: str) -> budgeted.Make:
        """A function that makes learners of one optimizer, with a lane for each rate."""
        return lambda rates: self.engine.learner(
            [replace(self.trials[optimizer], learning_rate=rate) for rate in rates]
        )

    def together(self) -> Any:
        """A learner with a lane for each optimizer, in the order of `trials`."""
        return self.engine.learner(list(self.trials.values()))

    def told(self, optimizer: str, score: float) -> str:
        """A score in words, such as `accuracy 97.0%`."""
        trial = self.trials[optimizer]
        value = sign(trial.goal) * score
        if is_share(trial.metric):
            return f"accuracy {value:.1%}"
        return f"{trial.metric.removeprefix('val_')} {value:.4g}"

    def random(self, optimizer: str) -> np.random.Generator:
        """A generator whose draws differ between optimizers and seeds."""
        return np.random.default_rng([self.seed, list(self.trials).index(optimizer)])

    def pick(
        self,
        optimizer: str,
        method: str,
        rule: str,
        rate: float | None,
        reason: str,
        steps: int,
        schedule: str = "constant",
    ) -> Pick:
        """A pick.

        Args:
            optimizer, method, rule: what picked, and for which optimizer.
            rate: the rate, or None where none was found.
            reason: why, in words.
            steps: steps of the search.
            schedule: the shape of the rate.
        """
        rate = None if rate is None else float(f"{rate:.6g}")
        return Pick(optimizer, method, rule, self.seed, rate, reason, steps, schedule)


def _default(problem: Problem) -> Iterable[Pick]:
    for name in problem.trials:
        rate, whose = DEFAULTS.get(name), "Keras"
        if problem.trials[name].start:
            rate, whose = cast(Any, problem.engine).usual_rate(problem.trials[name])
        yield problem.pick(name, "default", whose, rate, f"{whose}'s own default", 0)


def _finder(problem: Problem) -> Iterable[Pick]:
    """One sweep for each optimizer, which all rules read."""
    sweeps = finder.sweep(problem.together(), problem.low, problem.high, SWEEP_STEPS)
    for name, swept in zip(problem.trials, sweeps, strict=False):
        steps = len(swept.rates)
        for rule in ("tenth", "steepest", "valley", "slide"):
            yield problem.pick(name, "finder", rule, swept.suggest(rule), swept.why(rule), steps)
        top = swept.suggest("fall")
        yield problem.pick(
            name,
            "range test",
            "half of fall",
            None if top is None else top / 2,
            swept.why("fall"),
            steps,
        )


def _staircase(problem: Problem) -> Iterable[Pick]:
    stages = _decades(problem.low, problem.high)
    for fresh, rule in ((False, "carried on"), (True, "fresh")):
        found = staircase.search(problem.together(), stages, HOLD_STEPS // UNITS, fresh=fresh)
        for name, climbed in zip(problem.trials, found, strict=False):
            chosen = climbed.pick()
            yield problem.pick(
                name,
                "staircase",
                rule,
                chosen.rate,
                chosen.reason,
                climbed.rows[-1].step if climbed.rows else 0,
            )


def _decades(low: float, high: float) -> list[staircase.Stage]:
    """A stage of nine rates for each decade, from the first power of ten at or above `low`."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) - 1e-9) + 1)
    return [staircase.Stage(10.0**k, 10.0**k, UNITS, 9 * 10.0**k) for k in powers]


def _halving(problem: Problem) -> Iterable[Pick]:
    for name, found in zip(
        problem.trials,
        halving.halve(problem.together(), start=problem.high, steps=HOLD_STEPS),
        strict=False,
    ):
        reason = f"after {len(found.tries)} tries from {problem.high:g}"
        yield problem.pick(name, "halving", "no divergence", found.rate, reason, found.steps)


def _budgeted(
    method: str, search: Callable[[Problem, str], budgeted.Found]
) -> Callable[[Problem], Iterable[Pick]]:
    def picks(problem: Problem) -> Iterable[Pick]:
        for name in problem.trials:
            found = search(problem, name)
            reason = (
                f"{problem.told(name, found.score)} of the best candidate"
                if found.rate is not None
                else "every candidate diverged"
            )
            yield problem.pick(name, method, "best accuracy", found.rate, reason, found.steps)

    return picks


def _halved(problem: Problem, name: str) -> budgeted.Found:
    candidates = max(3, min(27, problem.budget // (3 * budgeted.LOOK)))
    return budgeted.successive_halving(
        problem.make(name),
        problem.low,
        problem.high,
        problem.budget,
        problem.random(name),
        candidates,
    )


def _population(problem: Problem) -> Iterable[Pick]:
    """The schedule of the best of ten members, and the last rate of this schedule alone."""
    members, ready = 10, 100
    settings = population.Settings(
        members, ready, max(1, problem.budget // (members * ready)), problem.low, problem.high
    )
    for name in problem.trials:
        try:
            done = population.train(
                problem.make(name)([problem.low] * members), settings, problem.random(name)
            )
        except StudyError as error:  # a user's own data may have no validation part
            yield problem.pick(name, "population", "schedule", None, str(error), 0)
            yield problem.pick(name, "population", "last rate", None, str(error), 0)
            continue
        if not done.survived:
            yield problem.pick(
                name, "population", "schedule", None, "every member diverged", done.steps
            )
            yield problem.pick(
                name, "population", "last rate", None, "every member diverged", done.steps
            )
            continue
        rates = [(step, member.rate) for step, member in done.lineage()]
        reason = (
            f"validation {problem.told(name, done.rounds[-1].scores[done.best])} of the best of "
            f"{members} members"
        )
        yield problem.pick(
            name, "population", "schedule", done.base, reason, done.steps, done.schedule()
        )
        yield problem.pick(name, "population", "last rate", rates[-1][1], reason, done.steps)


METHODS: dict[str, Callable[[Problem], Iterable[Pick]]] = {
    "default": _default,
    "finder": _finder,
    "staircase": _staircase,
    "halving": _halving,
    "random search": _budgeted(
        "random search",
        lambda problem, name: budgeted.random_search(
            problem.make(name), problem.low, problem.high, problem.budget, problem.random(name)
        ),
    ),
    "successive halving": _budgeted(
        "successive halving",
        _halved,
    ),
    "optuna": _budgeted(
        "optuna",
        lambda problem, name: budgeted.optuna_search(
            problem.make(name), problem.low, problem.high, problem.budget, problem.seed
        ),
    ),
    "population": _population,
}
"""The methods by name; the range test is part of the finder, since it reads the same sweep."""
