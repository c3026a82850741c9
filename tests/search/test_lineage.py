"""A population's line: who its best came from, and the schedule of their rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from study.errors import StudyError
from study.search.lineage import Member, Population, Round
from study.search.population import Settings, evolve, first, train
from study.spec.schedules.base import HIGHEST_FACTOR
from study.spec.schedules.parse import parse, rates
from study.spec.trial import HIGHEST_RATE, LOWEST_RATE
from support.parabola import Parabola

NAN = math.nan


def population(*rounds: list[tuple[float, int]], scores: tuple[float, ...] = (0.1, 0.9)) -> Any:
    """Rounds of five steps, of members given by rate and parent; the last scores decide."""
    ends = [(0.5,) * len(each) for each in rounds[:-1]] + [scores]
    return Population(
        tuple(
            Round(tuple(Member(rate, 0.5, parent) for rate, parent in each), end, 5 * place)
            for place, (each, end) in enumerate(zip(rounds, ends, strict=True), 1)
        ),
        5,
        100,
        2.5,
        0.75,
    )


LINE = population(
    [(0.1, 0), (0.2, 1)], [(0.1, 0), (0.3, 0)], [(0.4, 1), (0.3, 1)], [(0.5, 0), (0.6, 0)]
)


def test_the_line_of_the_best_leads_back_to_the_first_round() -> None:
    """By the parent of each, with the step at which its round began."""
    assert LINE.best == 1
    assert LINE.places() == [0, 1, 0, 1]
    assert [(step, member.rate) for step, member in LINE.lineage()] == [
        (0, 0.1),
        (5, 0.3),
        (10, 0.4),
        (15, 0.6),
    ]


def test_the_schedule_changes_in_the_first_step_of_a_round() -> None:
    """Its factors are shares of the first rate; a rate that stays makes no boundary."""
    assert LINE.schedule() == "piecewise:boundaries=4/9/14,factors=1/3/4/6"
    followed = rates(parse(LINE.schedule()), [LINE.base], 0, 20)[:, 0]
    assert followed == pytest.approx(np.repeat([0.1, 0.3, 0.4, 0.6], 5))
    stays = population([(0.1, 0), (0.3, 1)], [(0.3, 1), (0.3, 1)], [(0.3, 0), (0.1, 1)])
    assert population([(0.1, 0), (0.3, 1)], [(0.3, 1), (0.3, 1)]).schedule() == "constant"
    assert stays.schedule() == "piecewise:boundaries=9,factors=1/0.333333"


@pytest.mark.parametrize(("share", "first_counts"), [(1.0, True), (1.01, False)])
def test_the_base_is_the_first_rate_if_no_factor_is_too_large(
    share: float, first_counts: bool
) -> None:
    """Else the largest; exactly the largest factor is fine."""
    low = 2.0**-20
    high = low * HIGHEST_FACTOR * share
    assert population([(low, 0)], [(high, 0)], scores=(0.5,)).base == (
        low if first_counts else high
    )


@pytest.mark.parametrize(
    ("scores", "best", "survived"),
    [((NAN, 0.0), 1, True), ((0.3, NAN), 0, True), ((0.4, 0.4), 0, True), ((NAN, NAN), 0, False)],
)
def test_who_diverged_is_not_the_best(
    scores: tuple[float, float], best: int, survived: bool
) -> None:
    """Where all did there is none, and its JSON has no number for it."""
    found = population([(0.1, 0), (0.2, 1)], scores=scores)
    assert (found.best, found.survived) == (best, survived)
    told = found.to_json()
    assert (told["best"], told["test_accuracy"]) == ((best, 0.75) if survived else (None, None))
    assert told["rounds"] == [
        {
            "members": (
                {"rate": 0.1, "momentum": 0.5, "parent": 0},
                {"rate": 0.2, "momentum": 0.5, "parent": 1},
            ),
            "scores": [None if math.isnan(score) else score for score in scores],
            "step": 5,
        }
    ]
    assert (told["ready"], told["steps"], told["seconds"]) == (5, 100, 2.5)


@pytest.mark.parametrize(
    ("name", "fine", "bad"),
    [
        ("members", [1, 96], [0, 97]),
        ("ready", [1, 10**6], [0, 10**6 + 1]),
        ("rounds", [1, 10**5], [0, 10**5 + 1]),
        ("low", [1.1e-37, 10.0], [1e-37, 0.0, 10.1, 1e13]),
        ("high", [1e-5, 1e12], [0.9e-5, 1.1e12]),
        ("share", [1e-9, 0.5], [0.0, 0.51]),
        ("resample", [0.0, 1.0], [-0.1, 1.1]),
        ("factors", [(1e-9,), (2.0, 3.0)], [(), (0.0,), (math.inf,), (1.0, NAN), (-1.0,)]),
        ("momenta", [None, (0.0, 0.0), (0.5, 0.999)], [(-0.1, 0.5), (0.6, 0.5), (0.5, 1.0)]),
    ],
)
def test_bounds_belong_to_what_a_population_may_have(
    name: str, fine: list[Any], bad: list[Any]
) -> None:
    """The next value beyond does not; a rate is one that a study may have."""
    for value in fine:
        assert getattr(Settings(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(StudyError, match=name):
            Settings(**{name: value})


def test_the_defaults_are_those_of_the_docstring() -> None:
    """Twenty members, of which four copy four; two hundred steps, ten rounds."""
    one = Settings()
    assert (one.members, one.ready, one.rounds, one.low, one.high) == (20, 200, 10, 1e-5, 10.0)
    assert (one.share, one.factors, one.resample, one.bounded) == (0.2, (0.8, 1.2), 0.0, False)
    assert (one.momenta, one.momentum) == (None, 0.5)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.9), (0.5, 0.99)])
def test_rates_and_momenta_are_drawn_by_their_logarithms(low: float, high: float) -> None:
    """The momentum by that of 1 - m: numpy draws the same numbers."""
    settings = Settings(members=5, low=1e-3, high=10.0, momenta=(low, high))
    random = np.random.default_rng(4)
    for place, member in enumerate(first(settings, np.random.default_rng(4))):
        assert member.rate == pytest.approx(10 ** (-3 + 4 * random.random()))
        span = math.log10(1 - low) - math.log10(1 - high)
        assert 1 - member.momentum == pytest.approx((1 - high) * 10 ** (span * random.random()))
        assert member.parent == place


def pair(rate: float, momentum: float, **values: Any) -> list[Member]:
    """Copies of the better of two members, over many draws."""
    members = [Member(1.0, 0.0, 0), Member(rate, momentum, 1)]
    settings = Settings(members=2, share=0.5, **values)
    return [
        evolve(members, [0.1, 0.2], settings, np.random.default_rng(seed))[0] for seed in range(40)
    ]


def test_a_copy_stays_within_what_a_trial_may_have() -> None:
    """Or between the bounds of the prior, where they hold; momenta always do."""
    assert {one.rate for one in pair(HIGHEST_RATE, 0.5)} == {0.8 * HIGHEST_RATE, HIGHEST_RATE}
    assert {one.rate for one in pair(LOWEST_RATE, 0.5)} == {LOWEST_RATE, 1.2 * LOWEST_RATE}
    bound = {"low": 0.5, "high": 0.55, "bounded": True}
    assert {one.rate for one in pair(0.5, 0.5, **bound)} == {0.5, 0.55}
    found = pair(0.5, 0.5, momenta=(0.45, 0.59))
    assert {one.momentum for one in found} == {0.45, 0.59}
    assert {(one.rate, one.momentum) for one in pair(0.5, 0.5, momenta=(0.0, 0.9))} == {
        (0.5 * rate, 1 - 0.5 * left) for rate in (0.8, 1.2) for left in (0.8, 1.2)
    }
    assert {one.momentum for one in pair(0.5, 0.25)} == {0.25}


@pytest.mark.parametrize(
    ("members", "share", "copies"),
    [(10, 0.25, 3), (10, 0.24, 2), (2, 0.2, 0), (3, 0.5, 1), (3, 0.1, 0), (1, 0.5, 0)],
)
def test_the_share_is_rounded_and_at_most_a_half(members: int, share: float, copies: int) -> None:
    """Two and a half are three; the last of equals are the worst."""
    group = [Member(0.1, 0.5, place) for place in range(members)]
    after = evolve(
        group, [0.5] * members, Settings(members=members, share=share), np.random.default_rng(0)
    )
    changed = [place for place, member in enumerate(after) if member.parent != place]
    assert changed == list(range(members - copies, members))
    assert all(after[place].parent < copies for place in changed)


def test_where_all_diverged_they_copy_each_other() -> None:
    """There is no better one."""
    group = [Member(0.1, 0.5, place) for place in range(4)]
    settings = Settings(members=4, share=0.5)
    after = evolve(group, [NAN] * 4, settings, np.random.default_rng(0))
    assert [member.parent for member in after[:2]] == [0, 1]
    assert {member.parent for member in after[2:]} <= {0, 1}


class Looked(Parabola):
    """Counts how it is used, and tells a lane's place as its accuracy."""

    def evaluate(self, test: bool = False) -> Any:
        self.calls.append(f"evaluate {test}")
        return np.arange(self.lanes) / 10 + test

    def advance(self, rates: Any, momenta: Any = None) -> Any:
        self.calls.append(f"momenta {momenta if momenta is None else momenta[0].tolist()}")
        return super().advance(rates)


@pytest.mark.parametrize("momenta", [None, (0.5, 0.5)])
def test_a_round_is_trained_timed_looked_at_and_told(momenta: tuple[float, float] | None) -> None:
    """The best of three lanes is the third, a fourth is padding and is nobody; between two rounds
    the worst lane becomes the best, and after the last nothing is copied.
    """
    learner, told = Looked([1.0] * 4), list[Round]()
    ticks = iter([0.0, 1.0, 10.0, 12.0])
    settings = Settings(
        members=3, ready=60, rounds=2, low=0.1, high=0.1, share=0.4, momenta=momenta
    )
    done = train(learner, settings, np.random.default_rng(0), lambda: next(ticks), told.append)
    given = "momenta None" if momenta is None else "momenta [0.5, 0.5, 0.5, 0.5]"
    round_ = [given, "advance", given, "advance", "evaluate False"]
    if momenta is not None:
        last = done.rounds[1].members
        changed = [last[0].momentum, *[0.5] * 2, last[0].momentum]
        assert changed == [0.5] * 4
    assert learner.calls == ["prepare", *round_, "keep", *round_, "evaluate True"]
    assert told == list(done.rounds)
    assert [one.step for one in told] == [60, 120]
    assert [one.scores for one in told] == [(0.0, 0.1, 0.2)] * 2
    assert [member.parent for member in told[1].members] == [2, 1, 2]
    assert (done.steps, done.seconds, done.ready) == (360, 3.0, 60)
    assert done.test_accuracy == pytest.approx(1.2)
