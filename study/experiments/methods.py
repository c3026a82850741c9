"""The methods of the contest: what each is given, and how it picks a rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from study.engines.learner import Engine
from study.search import budgeted, finder, halving, population, staircase
from study.spec.trial import Trial
from study.tables.contests import Pick

SWEEP_STEPS = 300
"""Steps of a sweep of the finder."""


BUDGET = 6000
"""Steps of a search that is given a budget: random search, successive halving, Optuna, a
population.
"""


HOLD_STEPS = 50
"""Steps that a staircase holds a rate for, and that halving looks at."""


UNITS = 5
"""Looks that a staircase takes at a rate's loss."""


DEFAULTS = {
    "sgd": 0.01,
    "momentum": 0.01,
    "adam": 0.001,
    "adagrad": 0.001,
    "adadelta": 0.001,
    "rmsprop": 0.001,
}
"""Keras 3's own rates: what is picked where nothing is searched."""


@dataclass(frozen=True)
class Task:
    """What a method is given: an engine, a trial of each optimizer with the seed, and the bounds of
    the rates.
    """

    engine: Engine
    trials: Mapping[str, Trial]
    seed: int
    low: float
    high: float
    budget: int

    def make(self, optimizer: str) -> budgeted.Make:
        """Makes learners of that optimizer."""
        return lambda rates: self.engine.learner(
            [replace(self.trials[optimizer], learning_rate=rate) for rate in rates]
        )

    def together(self) -> Any:
        """A learner with a lane for each optimizer, in order."""
        return self.engine.learner(list(self.trials.values()))

    def random(self, optimizer: str) -> np.random.Generator:
        """Draws that differ between optimizers and seeds."""
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
        """A pick of this task."""
        rate = None if rate is None else float(f"{rate:.6g}")
        return Pick(optimizer, method, rule, self.seed, rate, reason, steps, schedule)


def _default(task: Task) -> Iterable[Pick]:
    for name in task.trials:
        yield task.pick(name, "default", "Keras", DEFAULTS[name], "Keras's own default", 0)


def _finder(task: Task) -> Iterable[Pick]:
    """One sweep an optimizer; every rule reads the same."""
    sweeps = finder.sweep(task.together(), task.low, task.high, SWEEP_STEPS)
    for name, swept in zip(task.trials, sweeps, strict=False):
        steps = len(swept.rates)
        for rule in ("tenth", "steepest", "valley", "slide"):
            yield task.pick(name, "finder", rule, swept.suggest(rule), swept.why(rule), steps)
        top = swept.suggest("fall")
        yield task.pick(
            name,
            "range test",
            "half of fall",
            None if top is None else top / 2,
            swept.why("fall"),
            steps,
        )


def _staircase(task: Task) -> Iterable[Pick]:
    stages = _decades(task.low, task.high)
    for fresh, rule in ((False, "carried on"), (True, "fresh")):
        found = staircase.search(task.together(), stages, HOLD_STEPS // UNITS, fresh=fresh)
        for name, climbed in zip(task.trials, found, strict=False):
            chosen = climbed.pick()
            yield task.pick(
                name,
                "staircase",
                rule,
                chosen.rate,
                chosen.reason,
                climbed.rows[-1].step if climbed.rows else 0,
            )


def _decades(low: float, high: float) -> list[staircase.Stage]:
    """A stage a decade, of nine rates each, from the first power of ten from `low` up."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) - 1e-9) + 1)
    return [staircase.Stage(10.0**k, 10.0**k, UNITS, 9 * 10.0**k) for k in powers]


def _halving(task: Task) -> Iterable[Pick]:
    for name, found in zip(
        task.trials, halving.halve(task.together(), start=task.high, steps=HOLD_STEPS), strict=False
    ):
        reason = f"after {len(found.tries)} tries from {task.high:g}"
        yield task.pick(name, "halving", "no divergence", found.rate, reason, found.steps)


def _budgeted(
    method: str, search: Callable[[Task, str], budgeted.Found]
) -> Callable[[Task], Iterable[Pick]]:
    def picks(task: Task) -> Iterable[Pick]:
        for name in task.trials:
            found = search(task, name)
            reason = (
                f"accuracy {found.score:.1%} of the best candidate"
                if found.rate is not None
                else "every candidate diverged"
            )
            yield task.pick(name, method, "best accuracy", found.rate, reason, found.steps)

    return picks


def _halved(task: Task, name: str) -> budgeted.Found:
    candidates = max(3, min(27, task.budget // (3 * budgeted.LOOK)))
    return budgeted.successive_halving(
        task.make(name), task.low, task.high, task.budget, task.random(name), candidates
    )


def _population(task: Task) -> Iterable[Pick]:
    """Ten members; the schedule of the best one's line, and the last rate of it alone."""
    members, ready = 10, 100
    settings = population.Settings(
        members, ready, max(1, task.budget // (members * ready)), task.low, task.high
    )
    for name in task.trials:
        done = population.train(task.make(name)([task.low] * members), settings, task.random(name))
        if not done.survived:
            yield task.pick(
                name, "population", "schedule", None, "every member diverged", done.steps
            )
            yield task.pick(
                name, "population", "last rate", None, "every member diverged", done.steps
            )
            continue
        rates = [(step, member.rate) for step, member in done.lineage()]
        reason = (
            f"validation accuracy {done.rounds[-1].scores[done.best]:.1%} of the best of "
            f"{members} members"
        )
        yield task.pick(
            name, "population", "schedule", rates[0][1], reason, done.steps, done.schedule()
        )
        yield task.pick(name, "population", "last rate", rates[-1][1], reason, done.steps)


METHODS: dict[str, Callable[[Task], Iterable[Pick]]] = {
    "default": _default,
    "finder": _finder,
    "staircase": _staircase,
    "halving": _halving,
    "random search": _budgeted(
        "random search",
        lambda task, name: budgeted.random_search(
            task.make(name), task.low, task.high, task.budget, task.random(name)
        ),
    ),
    "successive halving": _budgeted(
        "successive halving",
        _halved,
    ),
    "optuna": _budgeted(
        "optuna",
        lambda task, name: budgeted.optuna_search(
            task.make(name), task.low, task.high, task.budget, task.seed
        ),
    ),
    "population": _population,
}
"""What searches, by name; a range test reads its bounds off the finder's sweep."""
