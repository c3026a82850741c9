"""Compares reconstructed seconds with the clock: stored trials are trained again, each alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.engines.learner import Engine
from study.machine import device
from study.spec.budget import last_check
from study.spec.schedules.parse import parse
from study.storage.records import Run
from study.training.loop import train_lanes
from study.training.timing import step_reader


@dataclass(frozen=True)
class Verification:
    """A run, stored or predicted, and the same trial alone.

    Args:
        run: with reconstructed seconds.
        outcome, steps: of the trial alone.
        seconds: of the trial alone, read off the clock.
        step_beside: seconds of a step, timed as step times are, just before and after the trial;
            None where that was not asked for.
    """

    run: Run
    outcome: str
    steps: int
    seconds: float
    step_beside: float | None = None

    @property
    def step_time_error(self) -> float:
        """Relative error of the step time: |stored / measured - 1|."""
        return abs((self.run.step_seconds or 0.0) / (self.seconds / self.steps) - 1)

    @property
    def error_beside(self) -> float:
        """The same error of the step time that was read beside the trial: no drift is in it."""
        return abs((self.step_beside or 0.0) / (self.seconds / self.steps) - 1)

    def to_json(self) -> dict[str, Any]:
        """The trial, and both its ends; seconds of a step by the run, alone, and beside it."""
        return {
            **self.run.trial.label,
            "outcome": self.run.outcome.value,
            "outcome_alone": self.outcome,
            "steps": self.run.steps,
            "steps_alone": self.steps,
            "step_seconds": self.run.step_seconds,
            "step_seconds_alone": self.seconds / self.steps,
            "step_seconds_beside": self.step_beside,
        }


def choose(runs: Iterable[Run], count: int, seed: int) -> list[Run]:
    """Draw runs, spread evenly over the pairs of optimizer and outcome.

    Args:
        runs: those with steps and a budget that holds at least one check count.
        count: how many to draw, at most.
        seed: of the draw.
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
    beside: bool = False,
) -> list[Verification]:
    """Train the trial of each run alone, to its target or for the steps of its budget.

    The clock is read, but decides nothing.

    Args:
        runs: with step times.
        engine: makes the learners.
        watch: called after each.
        beside: whether to time a step before and after each, too.
    """
    checks = []
    with device.exclusive():
        for run in runs:
            trial = run.trial
            look = step_reader(trial, engine) if beside else None
            rounds = look() if look else []
            budget = last_check(trial.check_every, trial.cap, trial.max_steps, run.step_seconds)
            (finish,) = train_lanes(
                engine.learner([trial]),
                [trial.learning_rate],
                target=trial.target,
                metric=trial.metric,
                goal=trial.goal,
                check_every=trial.check_every,
                max_steps=int(budget),
                prune=trial.prune,
                schedule=parse(trial.schedule),
            )
            rounds += look() if look else []
            now = statistics.median(rounds) if rounds else None
            ended = finish.outcome.value, finish.steps, finish.seconds
            checks.append(Verification(run, *ended, now))
            watch(checks[-1])
    return checks


def summary(checks: Sequence[Verification]) -> dict[str, float | int]:
    """Median and worst step-time error, and the shares with the same outcome and the same steps."""
    errors = [check.step_time_error for check in checks]
    beside = [check.error_beside for check in checks if check.step_beside is not None]
    return {
        "trials": len(checks),
        "median_step_time_error": statistics.median(errors),
        "worst_step_time_error": max(errors),
        **({"median_error_beside": statistics.median(beside)} if beside else {}),
        "outcome_agreement": sum(check.outcome == check.run.outcome.value for check in checks)
        / len(checks),
        "same_steps": sum(check.steps == check.run.steps for check in checks) / len(checks),
    }
