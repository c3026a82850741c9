"""What came of a population: its rounds, and the line of its best member as a schedule."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from study.spec.schedules.base import HIGHEST_FACTOR
from study.spec.schedules.decay import Piecewise


@dataclass(frozen=True)
class Member:
    """A member during one round.

    Args:
        rate: its learning rate.
        momentum: its coefficient of Momentum.
        parent: index of the member of the round before that it continues or copies.
    """

    rate: float
    momentum: float
    parent: int


@dataclass(frozen=True)
class Round:
    """A round of training.

    Args:
        members: in the order of their lanes.
        scores: their validation accuracy at the end; NaN where a member diverged.
        step: steps that each had taken at the end.
    """

    members: tuple[Member, ...]
    scores: tuple[float, ...]
    step: int


@dataclass(frozen=True)
class Population:
    """A finished population.

    Args:
        rounds: in their order.
        ready: steps of a round.
        steps: steps of all members together.
        seconds: training time of all members together.
        test_accuracy: of the member that is best on the validation set.
    """

    rounds: tuple[Round, ...]
    ready: int
    steps: int
    seconds: float
    test_accuracy: float

    @property
    def survived(self) -> bool:
        """Whether at least one member did not diverge."""
        return not all(map(math.isnan, self.rounds[-1].scores))

    @property
    def best(self) -> int:
        """Index of the member with the highest last score; 0 if all diverged."""
        return int(np.nanargmax(self.rounds[-1].scores)) if self.survived else 0

    def places(self) -> list[int]:
        """The lane of the best member, or of its ancestor, in each round."""
        found = [self.best]
        for round_ in self.rounds[:0:-1]:
            found.append(round_.members[found[-1]].parent)
        return found[::-1]

    def lineage(self) -> list[tuple[int, Member]]:
        """The best member and its ancestors, each with the step at which its round began."""
        rounds = zip(self.rounds, self.places(), strict=True)
        return [(round_.step - self.ready, round_.members[place]) for round_, place in rounds]

    @property
    def base(self) -> float:
        """The rate at which the schedule's factor is 1: the first, if no factor is too large."""
        rates = [member.rate for _, member in self.lineage()]
        return rates[0] if max(rates) <= HIGHEST_FACTOR * rates[0] else max(rates)

    def schedule(self) -> str:
        """The rates of the lineage as a piecewise schedule of factors on `base`."""
        line, base = self.lineage(), self.base
        changes = [
            (step, member.rate)
            for (_, before), (step, member) in pairwise(line)
            if member.rate != before.rate
        ]
        if not changes:
            return "constant"
        rates = [line[0][1].rate, *(rate for _, rate in changes)]
        factors = [float(f"{rate / base:.6g}") for rate in rates]
        # A boundary is the last step before the change.
        boundaries = tuple(step - 1 for step, _ in changes)
        return str(Piecewise(boundaries=boundaries, factors=tuple(factors)))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the score of a member that diverged is null."""
        rounds = [
            {**asdict(round_), "scores": [None if math.isnan(x) else x for x in round_.scores]}
            for round_ in self.rounds
        ]
        best = (
            {"best": self.best, "test_accuracy": self.test_accuracy}
            if self.survived
            else {"best": None, "test_accuracy": None}
        )
        return {
            **best,
            "rounds": rounds,
            "ready": self.ready,
            "steps": self.steps,
            "seconds": self.seconds,
        }
