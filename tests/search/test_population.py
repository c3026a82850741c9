"""Population-based training: `evolve` as a pure function, and whole populations on parabolas whose
best rate is known.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.engines.learner import padded
from study.engines.rules import MOMENTUM
from study.errors import StudyError
from study.search.population import Member, Settings, evolve, first, train
from study.spec.schedules.parse import parse, rates
from study.spec.study import StudySpec
from study.spec.trial import HIGHEST_RATE, LOWEST_RATE
from support.parabola import Parabola

SCORES = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=40)


def members(count: int) -> tuple[Member, ...]:
    """Members told apart by their rates."""
    return tuple(Member(rate=1.0 + i, momentum=0.5, parent=i) for i in range(count))


@given(SCORES, st.integers(0, 2**32 - 1), st.floats(0.05, 0.5))
def test_the_worst_copy_the_best_and_the_others_stay(
    scores: list[float], seed: int, share: float
) -> None:
    """As many copies as the share says, of members at least as good, by a factor of the parent's
    rate; nothing else changes.
    """
    before = members(len(scores))
    after = evolve(
        before, scores, Settings(members=len(scores), share=share), np.random.default_rng(seed)
    )
    count = min(math.floor(share * len(scores) + 0.5), len(scores) // 2)
    copies = [i for i, member in enumerate(after) if member.parent != i]
    assert len(copies) == count
    as_numbers = [-1.0 if math.isnan(score) else score for score in scores]
    for i, member in enumerate(after):
        if i not in copies:
            assert member == before[i]
            assert as_numbers[i] >= max((as_numbers[j] for j in copies), default=-1.0)
        else:
            assert as_numbers[member.parent] >= as_numbers[i]
            assert member.parent not in copies
            assert (
                min(abs(member.rate / before[member.parent].rate - factor) for factor in (0.8, 1.2))
                < 1e-12
            )


@given(SCORES, st.integers(0, 2**32 - 1))
def test_evolve_is_a_function_of_its_arguments(scores: list[float], seed: int) -> None:
    """The same generator state, the same members; the arguments stay as they are."""
    before, settings = members(len(scores)), Settings(members=len(scores), resample=0.3)
    one, two = (evolve(before, scores, settings, np.random.default_rng(seed)) for _ in range(2))
    assert one == two
    assert before == members(len(scores))


def test_parents_and_factors_are_drawn_evenly() -> None:
    """Over many draws each of the best, and each factor, within five standard errors."""
    random, settings = np.random.default_rng(0), Settings(members=10)
    scores = [i / 10 for i in range(10)]
    drawn = [evolve(members(10), scores, settings, random) for _ in range(2000)]
    parents = Counter(after[i].parent for after in drawn for i in (0, 1))
    assert set(parents) == {8, 9}
    assert abs(parents[8] - 2000) < 5 * math.sqrt(4000) / 2
    up = sum(after[0].rate > members(10)[after[0].parent].rate for after in drawn)
    assert abs(up - 1000) < 5 * math.sqrt(2000) / 2


@given(
    st.integers(2, 40).flatmap(
        lambda count: st.tuples(
            st.just(count), st.integers(1, count), st.permutations(range(count))
        )
    ),
    st.floats(0.02, 0.5),
    st.integers(0, 2**32 - 1),
)
def test_a_member_that_diverged_is_no_parent_while_another_lives(
    drawn: tuple[int, int, list[int]], share: float, seed: int
) -> None:
    """However few live, wherever they stand, whatever the share."""
    count, alive, order = drawn
    scores = [math.nan] * count
    for i in order[:alive]:
        scores[i] = i / count
    settings = Settings(members=count, share=share)
    after = evolve(members(count), scores, settings, np.random.default_rng(seed))
    copies = [i for i, member in enumerate(after) if member.parent != i]
    assert not any(math.isnan(scores[after[i].parent]) for i in copies)
    assert len(copies) == min(math.floor(share * count + 0.5), count // 2)


@pytest.mark.parametrize(
    ("low", "high", "factors"),
    [(1e-6, 1e-6, (1.5,)), (1e-30, 1e-30, (3.0,)), (5.0, 5.0, (0.2,)), (1e-9, 1e-9, (10.0, 0.1))],
)
def test_a_line_however_steep_has_a_schedule(
    low: float, high: float, factors: tuple[float, ...]
) -> None:
    """Rates stay those that a trial may have, and the schedule gives each of them again."""

    class LastRate(Parabola):
        """The largest rate, or where rates fall the smallest, is the best."""

        def advance(self, rates: Any, momenta: Any = None) -> Any:
            self.given = np.asarray(rates)[-1]
            return np.ones(np.shape(rates)), np.zeros(np.shape(rates))

        def evaluate(self, test: bool = False) -> Any:
            return np.log(self.given) * (1 if max(factors) > 1 else -1)

        def keep(self, lanes: Any) -> None:
            self.given = self.given[list(lanes)]

    settings = Settings(
        members=4, ready=1, rounds=150, low=low, high=high, factors=factors, share=0.5
    )
    done = train(LastRate([1.0] * 4), settings, np.random.default_rng(0))
    line = [member.rate for _, member in done.lineage()]
    assert max(line) / min(line) > 1e12
    assert LOWEST_RATE <= min(line) <= max(line) <= HIGHEST_RATE
    again = rates(parse(done.schedule()), [done.base], 0, 150)[:, 0]
    assert again == pytest.approx(line, rel=1e-5)
    StudySpec(rates=(done.base,), schedule=done.schedule())


def test_rates_stay_in_bounds_only_on_request() -> None:
    """Where they are bounds; as the prior alone they may be left."""
    at_edge = tuple(Member(1.0, 0.5, i) for i in range(2))
    free = [
        evolve(
            at_edge, [0.0, 1.0], Settings(members=2, share=0.5, high=1.0), np.random.default_rng(s)
        )[0].rate
        for s in range(20)
    ]
    assert set(free) == {0.8, 1.2}
    bound = Settings(members=2, share=0.5, high=1.0, bounded=True)
    assert {
        evolve(at_edge, [0.0, 1.0], bound, np.random.default_rng(s))[0].rate for s in range(20)
    } == {0.8, 1.0}


def test_a_copy_may_be_drawn_anew() -> None:
    """With certainty, where the probability is one: from the prior, log-uniform."""
    settings = Settings(members=2, share=0.5, resample=1.0, low=1e-3, high=1.0)
    drawn = [
        evolve(members(2), [0.0, 1.0], settings, np.random.default_rng(seed))[0].rate
        for seed in range(400)
    ]
    assert 1e-3 <= min(drawn) < max(drawn) <= 1.0
    assert abs(np.mean(np.log10(drawn)) + 1.5) < 5 * 3 / math.sqrt(12 * 400)


def test_momentum_is_searched_within_its_bounds() -> None:
    """A second hyper-parameter: 1 - m changes by a factor, and never leaves the bounds."""
    settings = Settings(members=40, momenta=(0.0, 0.99))
    start = first(settings, np.random.default_rng(0))
    assert all(0 <= member.momentum <= 0.99 for member in start)
    assert len({member.momentum for member in start}) == 40
    after = evolve(start, list(range(40)), settings, np.random.default_rng(1))
    for member in after[:8]:
        ratio = (1 - member.momentum) / (1 - start[member.parent].momentum)
        assert min(abs(ratio - 0.8), abs(ratio - 1.2)) < 1e-9 or member.momentum in (0.0, 0.99)
    assert all(
        member.momentum == MOMENTUM for member in first(Settings(), np.random.default_rng(0))
    )


def test_the_best_rate_is_found() -> None:
    """On a parabola of curvature 20 the best constant rate is 1 / 20: the best member ends near it,
    far from where most began.
    """
    settings = Settings(members=20, ready=1, rounds=60, low=1e-7, high=1e-2)
    for seed in range(5):
        learner = Parabola([20.0] * 24)
        done = train(learner, settings, np.random.default_rng(seed))
        assert done.rounds[-1].scores[done.best] == max(done.rounds[-1].scores)
        begun = [member.rate for member in done.rounds[0].members]
        assert max(begun) < 0.01
        assert 0.01 < done.lineage()[-1][1].rate < 0.1


def test_the_lineage_is_the_schedule_that_the_best_trained_with() -> None:
    """Retracing the lineage's rates on one parabola from the start gives the best member's
    accuracy: weights are copied with rates.
    """
    settings = Settings(members=10, ready=3, rounds=8, low=1e-3, high=0.05)
    done = train(Parabola([20.0] * 12), settings, np.random.default_rng(3))
    lineage = done.lineage()
    assert [step for step, _ in lineage] == [3 * k for k in range(8)]
    alone, scheduled = Parabola([20.0]), Parabola([20.0])
    for _, member in lineage:
        alone.advance(np.full((3, 1), member.rate))
    scheduled.advance(rates(parse(done.schedule()), [lineage[0][1].rate], 0, 24))
    for retraced in (alone, scheduled):
        assert retraced.evaluate()[0] == pytest.approx(done.rounds[-1].scores[done.best], rel=1e-4)
    assert done.steps == 10 * 3 * 8


def test_a_population_of_one_is_plain_training() -> None:
    """One rate from first to last, nothing copied."""
    settings = Settings(members=1, ready=7, rounds=3, low=0.01, high=0.01)
    learner = Parabola([2.0])
    done = train(learner, settings, np.random.default_rng(0))
    assert learner.w[0] == pytest.approx((1 - 0.01 * 2) ** 21)
    assert all(round_.members[0].parent == 0 for round_ in done.rounds)
    assert "keep" not in learner.calls


def test_the_same_seed_gives_the_same_population() -> None:
    """Bit for bit; another seed another."""
    settings = Settings(members=8, ready=2, rounds=5, low=1e-3, high=0.05)
    one, two, other = (
        train(Parabola([20.0] * 8), settings, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one.rounds == two.rounds
    assert one.rounds != other.rounds


def test_a_diverged_member_is_the_worst_and_comes_back_as_a_copy() -> None:
    """A rate far past 2 / c blows up to infinity; the member's weights are then the parent's."""
    settings = Settings(members=4, ready=400, rounds=3, low=0.05, high=1e6, share=0.5)
    learner = Parabola([20.0] * 4)
    done = train(learner, settings, np.random.default_rng(0))
    lost = [i for i, score in enumerate(done.rounds[0].scores) if math.isnan(score)]
    assert lost
    assert all(done.rounds[1].members[i].parent not in lost for i in lost)


def test_where_every_member_diverges_there_is_no_best() -> None:
    """And nothing that is no number in its JSON."""
    done = train(
        Parabola([20.0] * 2),
        Settings(members=2, ready=400, rounds=2, low=1e4, high=1e5),
        np.random.default_rng(0),
    )
    assert not done.survived
    told = json.loads(json.dumps(done.to_json(), allow_nan=False))
    assert told["best"] is told["test_accuracy"] is None
    assert told["rounds"][0]["scores"] == [None, None]


def test_padding_repeats_a_member() -> None:
    """Parents of a padded array: the lanes beyond the members are the first's."""
    assert padded([3, 1, 2], 5) == [3, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"members": 0}, "members 0"),
        ({"low": 2.0, "high": 1.0}, "low 2 is above high 1"),
        ({"share": 0.6}, "share 0.6"),
        ({"resample": 1.5}, "resample 1.5"),
        ({"factors": ()}, "factors"),
        ({"factors": (0.8, -1.0)}, "factors"),
        ({"momenta": (0.5, 1.0)}, "momenta"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], sentence: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=sentence):
        Settings(**values)  # type: ignore[arg-type]
