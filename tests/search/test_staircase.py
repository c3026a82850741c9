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
