"""The staircase search: its rates counted, its quirks kept or not as said, its loop on parabolas in
closed form.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from study.errors import StudyError
from study.search.staircase import SEARCHES, Row, Stage, Staircase, parse, search, units
from support.parabola import Parabola


def test_the_source_s_first_try() -> None:
    """Ten rates a decade, decade ends twice, 0.01 not lost to rounding; each held for its own
    repeats.
    """
    rates = [stage.rates for stage in SEARCHES["coarse"]]
    for exponent, found in zip((-4, -3, -2, -1), rates, strict=True):
        assert found == tuple(float(f"{k}e{exponent}") for k in range(1, 11))
    assert units(SEARCHES["coarse"]) == 10 * 10 * 3 + 10 * 100
    assert SEARCHES["fine"][1].rates == tuple(float(f"{1 + k / 100:.2f}") for k in range(11))


@given(st.integers(1, 999), st.integers(1, 99), st.integers(-6, 0), st.integers(0, 300))
def test_no_rate_is_lost_to_rounding(start: int, step: int, exponent: int, count: int) -> None:
    """Against exact fractions, the last rate being the stop itself."""
    unit = Fraction(10) ** exponent
    stop = start + count * step
    found = Stage(float(start * unit), float(step * unit), 1, float(stop * unit)).rates
    assert found == tuple(
        float(f"{float((start + i * step) * unit):.12g}") for i in range(count + 1)
    )


def test_stages_are_read_from_text() -> None:
    """By name, or field by field."""
    assert parse("fine") == SEARCHES["fine"]
    assert parse("0.1:0.1:100, 1:0.01:100:1.1") == SEARCHES["fine"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("corse", "must be coarse, fine, or stages"),
        ("0.1:0.1", "START:STEP:REPEATS"),
        ("0:0.1:3", "start 0"),
        ("0.1:-1:3", "step -1"),
        ("0.1:0.1:0", "repeats '0'"),
        ("0.1:0.1:3:0.01", "stop 0.01 must not be below its start 0.1"),
        ("nan:0.1:3", "start nan"),
        ("0.1:x:3", "step 'x'"),
        ("1:1e-9:3", "take a larger step"),
    ],
)
def test_bad_stages_are_refused(text: str, words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=words):
        parse(text)


def test_weights_are_carried_on_from_rate_to_rate() -> None:
    """loss = c w^2 / 2 with w the product of (1 - rate c) over all steps before; a unit's loss is
    the mean over its steps.
    """
    learner = Parabola([0.9, 0.2])
    stages = (Stage(0.1, 0.1, 2, 0.3), Stage(0.3, 0.1, 1, 0.4))
    for lane, found in enumerate(search(learner, stages, unit_steps=3)):
        c = (0.9, 0.2)[lane]
        rates = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4]
        w = np.concatenate([[1.0], np.cumprod(1 - np.repeat(rates, 3) * c)])[:-1]
        assert [row.rate for row in found.rows] == rates
        assert [row.repeat for row in found.rows] == [1, 2, 1, 2, 1, 2, 1, 1]
        assert [row.place for row in found.rows] == [0, 0, 1, 1, 2, 2, 3, 4]
        assert [row.step for row in found.rows] == list(range(3, 25, 3))
        assert [row.loss for row in found.rows] == pytest.approx(
            (c * w**2 / 2).reshape(-1, 3).mean(axis=1)
        )
        assert [row.accuracy for row in found.rows] == pytest.approx(
            (1 - np.abs(w)).reshape(-1, 3).mean(axis=1)
        )
    assert learner.w.tolist() == [1.0, 1.0]


def test_fresh_rates_start_from_the_same_weights() -> None:
    """loss = c (1 - rate c)^(2 t) / 2; the pick is the rate nearest to 1 / c."""
    (found,) = search(Parabola([0.9]), (Stage(0.5, 0.5, 10, 4.0),), unit_steps=1, fresh=True)
    for row in found.rows:
        assert row.loss == pytest.approx(0.45 * (1 - 0.9 * row.rate) ** (2 * (row.repeat - 1)))
    assert found.pick().rate == 1.0


def test_carried_on_the_last_good_rate_is_picked() -> None:
    """The largest with rate c <= 2: beyond it the loss rises for good."""
    (found,) = search(Parabola([0.9]), (Stage(0.5, 0.5, 10, 4.0),), unit_steps=1)
    assert found.pick().rate == 2.0
    assert "carried on" in found.pick().reason
    (rising,) = search(Parabola([0.9]), (Stage(2.5, 0.5, 5, 4.0),), unit_steps=1)
    assert rising.pick().rate is None
    assert "never fell" in rising.pick().reason
    (falling,) = search(Parabola([0.9]), (Stage(0.1, 0.1, 5, 0.5),), unit_steps=1)
    assert falling.pick().rate == 0.5
    assert "the last of all" in falling.pick().reason


def rows(losses: Any, repeats: int) -> tuple[Row, ...]:
    return tuple(
        Row(i // repeats, 0.1 * (1 + i // repeats), i % repeats + 1, i + 1, float(loss), 0.1)
        for i, loss in enumerate(losses)
    )


def test_noise_alone_gives_no_pick() -> None:
    """For 200 seeds."""
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(2.3, 0.1, 200)
        assert Staircase(rows(noise, 10), fresh=False).pick().rate is None, seed


@pytest.mark.parametrize("fresh", [False, True])
def test_a_loss_that_is_not_finite_ends_the_search_or_the_rate(fresh: bool) -> None:
    """Carried on, nothing follows; fresh, the next rate does. The other lane goes on."""
    stages = (Stage(1e5, 1e5, 60, 2e5), Stage(0.5, 0.5, 2, 0.5))
    lost, other = search(Parabola([1.0, 1e-6]), stages, unit_steps=2, fresh=fresh)
    first = [row for row in lost.rows if row.place == 0]
    assert first[-1].loss == math.inf
    assert all(math.isfinite(row.loss) for row in first[:-1])
    assert {row.place for row in lost.rows} == ({0, 1, 2} if fresh else {0})
    assert len(other.rows) == 122
    assert Staircase(rows([math.inf], 1), fresh).pick().reason.startswith("the loss was not finite")


def test_an_interrupted_search_leaves_the_learner_as_it_was() -> None:
    """And is heard of unit by unit."""
    learner, seen = Parabola([0.5]), list[Row]()

    def watch(row: Row) -> None:
        seen.append(row)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(learner, SEARCHES["coarse"], 1, watch=watch)
    assert learner.w.tolist() == [1.0]
    assert [row.repeat for row in seen] == [1, 2, 3]
    with pytest.raises(StudyError, match="at least one stage"):
        search(learner, (), 1)


def test_the_figure_names_the_pick_as_ours() -> None:
    """And marks what was not finite."""
    (found,) = search(
        Parabola([0.9]), (Stage(0.25, 0.25, 10, 2.0), Stage(1e5, 1e5, 60, 1e5)), unit_steps=2
    )
    (axes,) = found.plot().axes
    legend: Any = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "loss of an epoch or step",
        "where each rate ended",
        "not finite",
        "picked: 2",
    ]


@pytest.mark.parametrize(
    "values",
    [
        (1.0, 1.0, 1, 1.0),
        (1e12, 1e12, 10**6, 1e13),
        (1.0, 1.0, 1, 100_000.9),
        (np.float64(1.0), 1.0, np.int64(3), None),
    ],
)
def test_the_bounds_of_a_stage_are_allowed(values: Any) -> None:
    """A stop at the start, the highest rate, a hundred thousand rates."""
    assert len(Stage(*values).rates) in (1, 10, 100_000)
    assert Stage(*values).rates[0] == values[0]
    assert Stage(*values).stop == (10 * values[0] if values[3] is None else values[3])


BEYOND = math.nextafter(1e12, math.inf)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((BEYOND, 1.0, 1, None), "a stage's start"),
        ((1.0, BEYOND, 1, None), "a stage's step"),
        ((1.0, 1.0, 10**6 + 1, None), "a stage's repeats"),
        ((1.0, 1.0, 0, None), "a stage's repeats"),
        ((1.0, 1.0, 1, 10 * BEYOND), "a stage's stop"),
        ((1.0, 1.0, 1, 0.0), "a stage's stop"),
        ((1.0, 1.0, 1, 0.999), "must not be below its start 1"),
        ((1.0, 1.0, 1, 100_001.0), "from 1 by 1 to 100001 has more than 100000 rates"),
    ],
)
def test_what_lies_beyond_the_bounds_of_a_stage_is_refused(values: Any, words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=words):
        Stage(*values)
    text = ":".join(repr(value) for value in values if value is not None)
    with pytest.raises(StudyError, match=words):
        parse(f"0.1:0.1:1,{text}")


def test_a_part_of_a_text_has_three_or_four_fields() -> None:
    """A bad part is named, and not the whole."""
    assert parse("1:2:3, 4:5:6:7") == (Stage(1.0, 2.0, 3), Stage(4.0, 5.0, 6, 7.0))
    assert units(parse("1:1:3:2,1:1:2:1")) == 2 * 3 + 2
    for part in ("1:2", "1:2:3:4:5", "1"):
        with pytest.raises(StudyError, match=f"^search '{part}' must be coarse, fine, or stages"):
            parse(f"1:2:3, {part}")


@pytest.mark.parametrize(("count", "later"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_a_rate_is_judged_by_its_later_half(count: int, later: int) -> None:
    """The middle one included."""
    losses = [2.0**place for place in range(count)]
    (end,) = Staircase(rows(losses, count), fresh=False).ends()
    assert (end.place, end.rate, end.units) == (0, 0.1, later)
    assert end.loss == pytest.approx(np.mean(losses[-later:]))


@pytest.mark.parametrize(("level", "share"), [(3.0, 0.9), (3.0, 1.1), (-3.0, 0.9), (-3.0, 1.1)])
def test_a_fall_counts_from_a_millionth_on(level: float, share: float) -> None:
    """Of the first loss, where nothing else moves."""
    least = level - 3e-6 * share
    found = Staircase(rows([level] * 8 + [least] * 8, 8), fresh=True).pick()
    assert found.rate == (0.2 if share > 1 else None)
    assert found.reason == (
        f"the rate that led to the least loss, {least:.4g}, from the same weights; it is the last "
        "of all, and higher ones may do better"
        if share > 1
        else f"the loss never fell by more than its noise explains (it began at {level:.4g})"
    )


@pytest.mark.parametrize("repeats", [2, 3, 8])
def test_a_fall_counts_beyond_five_standard_errors(repeats: int) -> None:
    """Of the first loss and the best mean. The noise is that within the later halves up to the best
    rate, if they have three differences; else that of all units until there.
    """
    wave = 0.1 * (-1.0) ** np.arange(3 * repeats)

    def losses(drop: float) -> NDArray[np.float64]:
        level = np.repeat([2.0, 2.0, 2.0 - drop], repeats)
        return np.concatenate([level + wave, [50.0, 70.0] * repeats])

    def excess(drop: float) -> float:
        until = losses(drop)[: 3 * repeats]
        parts = until.reshape(3, repeats)[:, repeats // 2 :]
        within = np.diff(parts, axis=1).ravel()
        jumps = within if len(within) >= 3 else np.diff(until)
        middle = 1.4826 * stats.median_abs_deviation(jumps)
        noise = max(np.std(jumps), middle) / math.sqrt(2)
        fall = until[0] - parts.mean(axis=1).min()
        return float(fall - 5 * noise * math.sqrt(1 + 1 / parts.shape[1]))

    drops = np.geomspace(0.01, 100, 100)
    told = [Staircase(rows(losses(drop), repeats), False).pick().rate for drop in drops]
    assert [rate is not None for rate in told] == [excess(drop) > 0 for drop in drops]
    assert repeats == 2 or set(told) == {None, 0.1 * 3}


def test_a_unit_has_a_step_and_at_most_ten_millions() -> None:
    """Nothing is trained where it has not."""
    learner = Parabola([1.0])
    for steps in (0, 10**7 + 1):
        with pytest.raises(StudyError, match="unit_steps"):
            search(learner, parse("1:1:1:1"), steps)
    assert learner.calls == []
    (one,) = search(learner, parse("1:1:1:1"), 1)
    assert [row.repeat for row in one.rows] == [1]
    assert learner.calls == ["prepare", "advance"]
    assert not one.fresh
