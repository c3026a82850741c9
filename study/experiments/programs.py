"""Programs as the learners of searches that never go back: each runs as far as it is asked for.

A program has no state to keep. One alone goes on while it is watched. Several are run one after
another, each from its start again whenever they are to go further, so that their memory is that of
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from study.engines.command.choice import Programs
from study.engines.learner import LANE_SIZES, Bools, Floats
from study.errors import StudyError
from study.spec.goals import sign
from study.spec.trial import Trial
from study.storage.checks import Finish
from study.storage.records import Outcome
from study.training.programs import ProgramRun

SEARCHES = ("random search", "successive halving", "optuna")
"""The methods of the contest that take programs."""


class ProgramSearch:
    """The engine of those searches; closing it ends a program that still runs.

    Args:
        programs: what to start.
        folder: where each has a folder of its own.
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.running = ExitStack()

    def learner(self, trials: Sequence[Trial]) -> ProgramLearner:
        """A learner with a lane for each trial; the one before it ends."""
        self.close()
        return ProgramLearner(self, list(trials))

    def close(self) -> None:
        """End the program that runs."""
        self.running.close()


class ProgramLearner:
    """See `Learner`; a lane's rate is that of its trial, from its start to its end.

    Args:
        search: starts the programs.
        trials: one a lane.
    """

    sizes: Sequence[int] = LANE_SIZES
    form: str | None = None

    def __init__(self, search: ProgramSearch, trials: list[Trial]) -> None:
        self.search, self.trials = search, trials
        self.metric, self.sign = trials[0].metric, sign(trials[0].goal)
        self.step, self.lanes = 0, len(trials)
        self.again = len(trials) > 1
        self.run: ProgramRun | None = None
        self.end: Finish | None = None

    def prepare(self) -> None:
        """See `Learner.prepare`: there is nothing to compile."""

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """See `Learner.advance`; a value stays until the next report, and a loss that is not told
        is 0.
        """
        begun, self.step = self.step, self.step + len(rates)
        lanes: dict[str, tuple[Floats, Floats]] = {}
        for trial in self.trials:  # padding repeats a lane
            if trial.id not in lanes:
                lanes[trial.id] = held(self._reach(trial), begun, self.step)
        told = [lanes[trial.id] for trial in self.trials]
        return (
            np.stack([losses for losses, _ in told], axis=1),
            np.stack([values for _, values in told], axis=1),
        )

    def _reach(self, trial: Trial) -> Finish:
        """What the trial's program has reported by the present step."""
        goal = self.sign * math.inf
        steps = None if not self.again else self.step
        free = replace(trial, target=goal, cap=None, max_steps=steps, prune="none")
        if self.again or self.run is None:
            self.search.close()
            self.run = ProgramRun(self.search.programs, free, self.search.folder)
            self.search.running.enter_context(closing(self.run))
            self.end = None
        while self.end is None and (self.again or self.run.seen.step < self.step):
            self.end = self.run.look()
        found = self.end or self.run.seen.finish(Outcome.CAPPED, 0.0)
        if self.again:
            self.search.close()
        return found

    def keep(self, lanes: Sequence[int]) -> None:
        """See `Learner.keep`."""
        self.trials = [self.trials[lane] for lane in lanes]
        self.lanes = len(self.trials)

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """See `Learner.stuck`: nothing is proved."""
        return np.zeros(len(lanes), bool)

    def evaluate(self, test: bool = False) -> NoReturn:
        """See `Learner.evaluate`."""
        self._cannot()

    def snapshot(self) -> NoReturn:
        """See `Learner.snapshot`."""
        self._cannot()

    def restore(self, state: Any) -> NoReturn:
        """See `Learner.restore`."""
        self._cannot()

    def _cannot(self) -> NoReturn:
        raise StudyError("a program cannot go back, nor be looked at but by its reports")


def held(finish: Finish, begun: int, step: int) -> tuple[Floats, Floats]:
    """Losses and values of the metric at steps `begun` + 1 to `step`, (T,) each.

    Before the first report the metric is not a number; all losses of a program that diverged or
    failed are infinite.

    Args:
        finish: what was reported.
        begun: the step before the first.
        step: the last step.
    """
    told = finish.watched
    assert told is not None
    wanted = np.arange(begun + 1, step + 1)
    place = np.searchsorted(np.array(told.steps, np.int64), wanted, side="right")
    values = np.array([math.nan, *finish.accuracies])[place]
    losses = np.array([0.0, *(finish.losses or [0.0] * len(finish.accuracies))])[place]
    if finish.outcome in (Outcome.DIVERGED, Outcome.FAILED):
        losses = np.full(len(wanted), math.inf)
    return losses, values
