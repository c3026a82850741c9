"""How long training can still be expected to take: by the plan, and by what was seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from study.execution.planning.array_sizes import array_seconds, lane_seconds
from study.execution.planning.estimates import OWN_SHARE, budget_steps, busiest, expected_steps
from study.execution.planning.portions import Portion
from study.execution.planning.programs import longest
from study.spec.program import is_program
from study.spec.trial import Trial
from study.training.loop import Progress

OUTLIVES = 0.5
"""A lane that outlives what was expected of it is expected to go on for this share of the steps
that it has taken, as far as its budget goes.
"""


class Left:
    """The seconds of training that are left.

    A group that has not begun takes what its plan says. An array that trains takes what its lanes
    are expected to have before them, which cost more a step the fewer there are. Both count by the
    pace so far: seconds that checks took over those that were planned for the same steps.

    Args:
        portions: the pending trials in groups, as they will train.
    """

    def __init__(self, portions: Sequence[Portion]) -> None:
        self.portions = portions
        self.waiting: list[dict[int, float]] = []  # seconds of the groups that have not begun
        self.place: dict[str, tuple[int, int]] = {}  # portion and group of each trial
        self.trials: dict[tuple[int, int], set[str]] = {}  # those of a group that have not ended
        self.arrays: dict[int, tuple[Progress, Sequence[Trial]]] = {}  # the latest look at each
        self.planned = self.taken = 0.0  # seconds of the steps that were seen
        for i, portion in enumerate(portions):
            groups = portion.plan.groups
            self.waiting.append({j: self._whole(portion, some) for j, some in enumerate(groups)})
            for j, some in enumerate(groups):
                self.place |= {trial.id: (i, j) for trial in some}
                self.trials[i, j] = {trial.id for trial in some}
        self.lane = cache(self._lane)

    def step(self, array: int, progress: Progress, trials: Sequence[Trial]) -> None:
        """An array has come to a check."""
        first, alive = trials[0], len(progress.alive)
        if is_program(first.network):
            return
        i, j = self.place[first.id]
        self.waiting[i].pop(j, None)
        self.arrays[array] = progress, trials
        if not alive:
            del self.arrays[array]
        # A budget of seconds by the clock is as long as it says, whatever a step takes.
        if first.mode == "array" or first.cap is None:
            alive = max(1, alive)
            self.planned += first.check_every * alive * self.lane(i, first, alive)
            self.taken += progress.seconds

    def ended(self, trial: str) -> None:
        """A trial has ended; nothing more may be told of its group."""
        place = self.place.get(trial)
        if place is None:
            return
        self.trials[place].discard(trial)
        if not self.trials[place]:
            self.waiting[place[0]].pop(place[1], None)

    @property
    def seconds(self) -> float:
        """What is left: the portions train beside each other. Infinite where nothing is known."""
        pace = self.taken / self.planned if self.planned else 1.0
        ends = [
            busiest([*self._training(i), *waiting.values()], portion.crew.use.jobs)
            for i, (portion, waiting) in enumerate(zip(self.portions, self.waiting, strict=True))
        ]
        return pace * max(ends, default=0.0)

    def _whole(self, portion: Portion, trials: Sequence[Trial]) -> float:
        """What a group is expected to take."""
        times, use = portion.times, portion.crew.use
        if is_program(trials[0].network):
            return sum(OWN_SHARE * longest(trial, times) for trial in trials)
        steps = [expected_steps(trial, times) for trial in trials]
        return array_seconds(trials[0], steps, times, use)

    def _training(self, i: int) -> list[float]:
        """What the arrays of a portion that train now are expected to take."""
        times, use = self.portions[i].times, self.portions[i].crew.use
        found = []
        for progress, trials in self.arrays.values():
            if self.place[trials[0].id][0] != i:
                continue
            steps = progress.step
            ends = [
                min(
                    budget_steps(trials[k], times) - steps,
                    max(expected_steps(trials[k], times) - steps, OUTLIVES * steps),
                )
                for k in progress.alive
            ]
            found.append(array_seconds(trials[0], ends, times, use))
        return found

    def _lane(self, i: int, trial: Trial, lanes: int) -> float:
        """Seconds of a lane's step in an array of so many, in its process."""
        times, use = self.portions[i].times, self.portions[i].crew.use
        return lane_seconds(trial, times, use, lanes) * use.jobs
