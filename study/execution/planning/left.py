"""How long training can still be expected to take: by the plan, and by what was seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from study.execution.planning.array_sizes import array_seconds, lane_seconds
from study.execution.planning.estimates import OWN_SHARE, budget_steps, busiest, expected_steps
from study.execution.planning.portions import Portion
from study.execution.planning.programs import longest
from study.spec.program import is_program
from study.spec.trial import Trial
from study.training.loop import Progress

Place = tuple[int, int]
"""A portion, and a group of it."""


OUTLIVES = 0.5
"""A lane that outlives what was expected of it is expected to go on for this share of the steps
that it has taken, as far as its budget goes.
"""


class Left:
    """The seconds of training that are left.

    A group that has not begun takes what its plan says. An array that trains takes what its trials
    are expected to have before them; a lane's step costs more, the fewer there are. Arrays count by
    the pace so far: the seconds of the checks over those that were planned for the same steps.

    Args:
        portions: the pending trials in groups, as they will train.
        before: what came before, of which the pace is kept.
    """

    def __init__(self, portions: Sequence[Portion], before: Left | None = None) -> None:
        self.portions = portions
        self.waiting: list[dict[int, float]] = []  # seconds of the groups that have not begun
        self.place: dict[str, Place] = {}  # of each trial
        self.groups: dict[Place, dict[str, Trial]] = {}  # the trials that have not ended
        self.arrays: dict[int, tuple[Place, Progress]] = {}  # the latest look at each
        # Seconds of the steps that were seen: by the plan, and by the clock.
        self.planned: float = before.planned if before else 0.0
        self.taken: float = before.taken if before else 0.0
        self.lane = cache(self._lane)
        for i, portion in enumerate(portions):
            groups = portion.plan.groups
            self.waiting.append({j: self._whole(i, trials) for j, trials in enumerate(groups)})
            for j, trials in enumerate(groups):
                self.place |= {trial.id: (i, j) for trial in trials}
                self.groups[i, j] = {trial.id: trial for trial in trials}

    def step(self, array: int, progress: Progress, trials: Sequence[Trial]) -> None:
        """An array has come to a check."""
        first, place = trials[0], self.place.get(trials[0].id)
        if is_program(first.network) or place is None:
            return
        self.waiting[place[0]].pop(place[1], None)
        _, before = self.arrays.pop(array, (place, progress))
        if self.groups[place]:  # an array may train in halves, one after the other
            self.arrays[array] = place, progress
        # A budget of seconds by the clock is as long as it says, whatever a step takes.
        if first.mode == "array" or first.cap is None:
            look = before if before.step < progress.step else progress
            lanes = max(1, len(look.alive))
            self.planned += first.check_every * lanes * self.lane(place[0], first, lanes)
            self.taken += progress.seconds

    def ended(self, trial: str) -> None:
        """A trial has ended, whether or not its group was heard of; with the last its group has."""
        place = self.place.get(trial)
        if place is None:
            return
        self.groups[place].pop(trial, None)
        if not self.groups[place]:
            self.waiting[place[0]].pop(place[1], None)
            self.arrays = {key: one for key, one in self.arrays.items() if one[0] != place}

    @property
    def seconds(self) -> float:
        """What is left: the portions train beside each other. Infinite where nothing is known."""
        pace = self.taken / self.planned if self.planned else 1.0
        ends = [
            busiest([*self._training(i), *waiting.values()], portion.crew.use.jobs)
            for i, (portion, waiting) in enumerate(zip(self.portions, self.waiting, strict=True))
        ]
        return pace * max(ends, default=0.0)

    def _whole(self, i: int, trials: Sequence[Trial]) -> float:
        """What a group is expected to take."""
        times = self.portions[i].times
        if is_program(trials[0].network):
            return sum(OWN_SHARE * longest(trial, times) for trial in trials)
        return self._array(i, trials[0], [expected_steps(trial, times) for trial in trials])

    def _training(self, i: int) -> list[float]:
        """What the arrays of a portion that train now are expected to take."""
        times, found = self.portions[i].times, []
        for place, progress in self.arrays.values():
            if place[0] == i:
                trials, steps = list(self.groups[place].values()), progress.step
                ends = [
                    min(
                        max(budget_steps(trial, times) - steps, 0.0),
                        max(expected_steps(trial, times) - steps, OUTLIVES * steps),
                    )
                    for trial in trials
                ]
                found.append(self._array(i, trials[0], ends))
        return found

    def _array(self, i: int, trial: Trial, ends: Sequence[float]) -> float:
        """What an array takes whose lanes end after so many steps."""
        portion = self.portions[i]
        lane = partial(self.lane, i, trial)
        return array_seconds(trial, ends, portion.times, portion.crew.use, lane)

    def _lane(self, i: int, trial: Trial, lanes: int) -> float:
        """Seconds of a lane's step in an array of so many, in its process."""
        times, use = self.portions[i].times, self.portions[i].crew.use
        return lane_seconds(trial, times, use, lanes) * use.jobs
