"""Population-based training on lanes (Jaderberg et al. 2017).

Members train side by side. After a number of steps the worst copy the best, and change the rate of
the copy. All members take the same number of steps, and the same seed gives the same lineage. The
result is a schedule, not a rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.engines.learner import Learner, advance_finite, constant_rates, padded
from study.engines.rules import MOMENTUM
from study.errors import StudyError
from study.machine.clock import running
from study.search.lineage import Member, Population, Round
from study.spec.trial import HIGHEST_RATE, LOWEST_RATE
from study.validation import integer, number

__all__ = ["Member", "Population", "Round", "Settings", "evolve", "first", "train"]


@dataclass(frozen=True)
class Settings:
    """How a population is made and evolves.

    Args:
        members: number of members.
        ready: steps of a round.
        rounds: number of rounds; the population evolves between two rounds.
        low: lowest rate of the prior, from which rates are drawn log-uniformly.
        high: highest rate of the prior.
        share: the fraction of the members that copy (the worst), and that are copied (the best).
        factors: the rate of a copy is multiplied by one of them.
        resample: probability that the rate of a copy is drawn from the prior instead.
        bounded: keep changed rates between `low` and `high`.
        momenta: bounds of Momentum's coefficient where it is searched too, else None.
        momentum: the optimizer's own coefficient, which members have where it is not searched.

    Raises:
        StudyError: a value is out of its range.
    """

    members: int = 20
    ready: int = 200
    rounds: int = 10
    low: float = 1e-5
    high: float = 10.0
    share: float = 0.2
    factors: tuple[float, ...] = (0.8, 1.2)
    resample: float = 0.0
    bounded: bool = False
    momenta: tuple[float, float] | None = None
    momentum: float = MOMENTUM

    def __post_init__(self) -> None:
        integer("members", self.members, low=1, high=96)
        integer("ready", self.ready, low=1, high=10**6)
        integer("rounds", self.rounds, low=1, high=10**5)
        number("low", self.low, low=LOWEST_RATE, high=HIGHEST_RATE)
        number("high", self.high, low=LOWEST_RATE, high=HIGHEST_RATE)
        if self.low > self.high:
            raise StudyError(
                f"low {self.low:g} is above high {self.high:g}: the prior needs low <= high"
            )
        number("share", self.share, low=0, high=0.5)
        number("resample", self.resample, low=0, high=1, inclusive=True)
        if not self.factors or not all(0 < factor < math.inf for factor in self.factors):
            raise StudyError(
                f"factors {self.factors} must be positive numbers, such as 0.8 and 1.2"
            )
        if self.momenta is not None and not 0 <= self.momenta[0] <= self.momenta[1] < 1:
            raise StudyError(
                f"momenta {self.momenta} must be LOW and HIGH with 0 <= LOW <= HIGH < 1"
            )


def first(settings: Settings, random: np.random.Generator) -> tuple[Member, ...]:
    """Draw the members of the first round from the prior."""
    return tuple(Member(*_drawn(settings, random), parent=i) for i in range(settings.members))


def evolve(
    members: Sequence[Member],
    scores: Sequence[float],
    settings: Settings,
    random: np.random.Generator,
) -> tuple[Member, ...]:
    """The members of the next round, by truncation selection.

    Each of the n worst becomes a changed copy of one of the n best, which is drawn uniformly. The
    others stay. n is the share of the members, rounded, and at most half of them. A member that
    diverged is no parent while another has a score.

    Args:
        members: in the order of their lanes.
        scores: higher is better; NaN is the worst; of equal scores the earlier one is the better.
        settings: share, factors and bounds.
        random: draws parents and changes.
    """
    count = min(math.floor(settings.share * len(members) + 0.5), len(members) // 2)
    ranked = sorted(
        range(len(members)), key=lambda i: (-math.inf if math.isnan(scores[i]) else scores[i], -i)
    )
    worst, best = ranked[:count], ranked[len(members) - count :]
    best = [i for i in best if not math.isnan(scores[i])] or best
    result = [replace(member, parent=i) for i, member in enumerate(members)]
    for i in sorted(worst):
        parent = best[int(random.integers(len(best)))]
        result[i] = Member(*_changed(members[parent], settings, random), parent=parent)
    return tuple(result)


def train(
    learner: Learner,
    settings: Settings,
    random: np.random.Generator,
    clock: Callable[[], float] = running,
    watch: Callable[[Round], None] = lambda round_: None,
) -> Population:
    """Train a population in the lanes of a learner; a population of one is plain training.

    Args:
        learner: at least as many lanes as members, fresh; the other lanes are padding.
        settings: see `Settings`.
        random: draws the first rates, parents and changes.
        clock: a monotonic clock, in seconds, that times the training.
        watch: called after each round.
    """
    members, rounds, seconds = first(settings, random), [], 0.0
    alive = np.ones(settings.members, bool)
    learner.prepare()
    for number_ in range(1, settings.rounds + 1):
        rates, momenta = (
            constant_rates([getattr(m, what) for m in members], settings.ready, learner.lanes)
            for what in ("rate", "momentum")
        )
        begun = clock()
        for _, _, finite in advance_finite(learner, rates, momenta if settings.momenta else None):
            fine = finite[: settings.members]
        seconds += clock() - begun
        alive &= fine
        seen = learner.sign * np.asarray(learner.evaluate(), float)[: settings.members]
        scores = np.where(alive & np.isfinite(seen), seen, math.nan)
        rounds.append(Round(members, tuple(scores.tolist()), number_ * settings.ready))
        watch(rounds[-1])
        if number_ < settings.rounds:
            members = evolve(members, scores.tolist(), settings, random)
            parents = [member.parent for member in members]
            if parents != list(range(len(parents))):
                learner.keep(padded(parents, learner.lanes))
                alive = alive[parents]
    steps = settings.members * settings.ready * settings.rounds
    done = Population(tuple(rounds), settings.ready, steps, seconds, math.nan)
    return replace(done, test_accuracy=float(learner.evaluate(test=True)[done.best]))


def _drawn(settings: Settings, random: np.random.Generator) -> tuple[float, float]:
    """Draw a rate log-uniformly, and a momentum m such that 1 - m is log-uniform.

    1 / (1 - m) is the number of steps that momentum averages.
    """
    rate = math.exp(random.uniform(math.log(settings.low), math.log(settings.high)))
    if settings.momenta is None:
        return rate, settings.momentum
    low, high = settings.momenta
    return rate, 1 - math.exp(random.uniform(math.log(1 - high), math.log(1 - low)))


def _changed(
    member: Member, settings: Settings, random: np.random.Generator
) -> tuple[float, float]:
    """The rate and the momentum of a copy.

    Rate and 1 - momentum are each multiplied by one of the factors, or both are drawn anew.
    """
    if random.random() < settings.resample:
        return _drawn(settings, random)
    rate = member.rate * settings.factors[int(random.integers(len(settings.factors)))]
    # A trial of the schedule must be able to have the rate.
    low, high = (settings.low, settings.high) if settings.bounded else (LOWEST_RATE, HIGHEST_RATE)
    rate = min(max(rate, low), high)
    if settings.momenta is None:
        return rate, member.momentum
    momentum = (
        1 - (1 - member.momentum) * settings.factors[int(random.integers(len(settings.factors)))]
    )
    return rate, min(max(momentum, settings.momenta[0]), settings.momenta[1])
