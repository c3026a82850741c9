"""Is a reconstructed second a real one? Stored trials of mode array, trained again alone on this
machine, by the clock.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from study.engines.learner import Engine
from study.machine import device
from study.spec.schedules.parse import parse
from study.storage.records import Run
from study.training.budget import last_check
from study.training.loop import race


@dataclass(frozen=True)
class Verification:
    """A run, stored or predicted, and the same trial alone: outcome, steps, and seconds read off
    the clock.
    """

    run: Run
    outcome: str
    steps: int
    seconds: float

    @property
    def step_time_error(self) -> float:
        """Relative error of the reconstructed seconds for the same steps: |stored step time /
        measured step time - 1|.
        """
        return abs((self.run.step_seconds or 0.0) / (self.seconds / self.steps) - 1)


def choose(runs: Iterable[Run], count: int, seed: int) -> list[Run]:
    """`count` runs spread over optimizers and outcomes: each draw comes from the pair that has had
    the fewest so far.
    """
    random = np.random.default_rng(seed)
    kinds: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.id):
        trial = run.trial
        if (
            run.steps
            and last_check(trial.check_every, trial.cap, trial.max_steps, run.step_seconds) > 0
        ):
            kinds.setdefault((run.trial.optimizer, run.outcome.value), []).append(run)
    queues = [[group[i] for i in random.permutation(len(group))] for group in kinds.values()]
    queues = [queues[i] for i in random.permutation(len(queues))]
    rounds = [
        queue[i]
        for i in range(max(map(len, queues), default=0))
        for queue in queues
        if i < len(queue)
    ]
    return rounds[:count]


def verify(
    runs: Sequence[Run],
    engine: Engine,
    watch: Callable[[Verification], object] = lambda check: None,
) -> list[Verification]:
    """Train each run's trial alone, to its target or for the steps that its budget came to; the
    clock is read and decides nothing.
    """
    checks = []
    with device.exclusive():
        for run in runs:
            trial = run.trial
            budget = last_check(trial.check_every, trial.cap, trial.max_steps, run.step_seconds)
            (finish,) = race(
                engine.learner([trial]),
                [trial.learning_rate],
                target=trial.target,
                metric=trial.metric,
                check_every=trial.check_every,
                max_steps=int(budget),
                prune=trial.prune == "hopeless",
                schedule=parse(trial.schedule),
            )
            checks.append(Verification(run, finish.outcome.value, finish.steps, finish.seconds))
            watch(checks[-1])
    return checks


def summary(checks: Sequence[Verification]) -> dict[str, float | int]:
    """Median and worst step-time error, and the share of trials whose outcome is the same."""
    errors = [check.step_time_error for check in checks]
    return {
        "trials": len(checks),
        "median_step_time_error": statistics.median(errors),
        "worst_step_time_error": max(errors),
        "outcome_agreement": sum(check.outcome == check.run.outcome.value for check in checks)
        / len(checks),
        "same_steps": sum(check.steps == check.run.steps for check in checks) / len(checks),
    }
