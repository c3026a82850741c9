"""Schedules made of schedules: products, one after another, growth, cycles of momentum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.spec.schedules.base import Schedule, Shape
from study.spec.schedules.compose import Joined, Product
from study.spec.schedules.parse import momenta, parse
from study.spec.study import StudySpec
from support.schedules import COMPOUND, every, factors

trees: st.SearchStrategy[Schedule] = st.recursive(
    every,
    lambda parts: (
        st.lists(parts, min_size=2, max_size=3).map(lambda found: Product(tuple(found)))
        | st.tuples(
            st.lists(parts, min_size=2, max_size=3), st.integers(1, 50), st.integers(1, 50)
        ).map(
            lambda drawn: Joined(
                tuple(drawn[0]), tuple(drawn[1] + i * drawn[2] for i in range(len(drawn[0]) - 1))
            )
        )
    ),
    max_leaves=5,
)
"""Schedules in schedules."""


@given(trees)
def test_a_schedule_of_schedules_is_its_text(tree: Schedule) -> None:
    """However deep: what is written is what is read."""
    again = parse(str(tree))
    assert str(again) == str(tree)
    assert factors(again, 120).tolist() == factors(tree, 120).tolist()


@given(every, every, st.integers(1, 200))
def test_products_and_joins_are_what_they_say(one: Shape, two: Shape, at: int) -> None:
    """At every step: the product of both, or the one and then the other from its own step 0."""
    a, b = factors(one, 300), factors(two, 300)
    assert factors(Product((one, two)), 300).tolist() == (a * b).tolist()
    joined = factors(Joined((one, two), (at,)), 300)
    assert joined.tolist() == [*a[:at], *b[: 300 - at]]


@given(trees)
def test_what_does_not_rise_never_does(tree: Schedule) -> None:
    """Also from one part to the next: a proof may rest on it."""
    if not tree.rises:
        assert (np.diff(factors(tree, 400)) <= 1e-15).all()


@pytest.mark.parametrize(
    ("text", "rises"),
    [
        ("constant then constant at 5", False),
        ("cosine:steps=5 then constant at 5", True),
        ("constant then cosine:steps=5,warmup=2 at 5", True),
        ("exponential:rate=0.5,steps=5 * cosine:steps=9", False),
        ("cosine:steps=9 * triangular:half=3", True),
        ("exponential:rate=2,steps=3,end=4", True),
        ("cosine:steps=9 * plateau", False),
    ],
)
def test_what_rises_is_known(text: str, rises: bool) -> None:
    """A part that does, or a step up between two parts."""
    assert parse(text).rises == rises


@pytest.mark.parametrize("text", COMPOUND)
def test_a_study_stores_a_schedule_of_schedules(text: str) -> None:
    """By the one text that it has."""
    assert StudySpec(schedule=text).schedule == str(parse(text))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("constant*constant", "constant * constant"),
        ("(constant * constant) * cosine:steps=3", "constant * constant * cosine:steps=3"),
        ("constant * (constant * constant)", "constant * constant * constant"),
        ("((cosine:steps=3))", "cosine:steps=3"),
        (" cosine:steps=3 ", "cosine:steps=3"),
        ("constant then cosine:alpha=0,steps=3 at 7", "constant then cosine:steps=3 at 7"),
    ],
)
def test_equal_schedules_have_equal_text(written: str, text: str) -> None:
    """Brackets that change nothing are left out."""
    assert str(parse(written)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("constant then cosine:steps=3", "'at' and a step must come there, not its end"),
        ("constant then cosine:steps=3 at", "a step must come there"),
        ("constant then cosine:steps=3 at soon", "not 'soon'"),
        ("constant then cosine:steps=3 at 0", "at 0"),
        ("constant then constant at 9 then constant at 9", "must rise"),
        ("constant *", "a schedule must come there, not its end"),
        ("* constant", "a schedule must come there, not '*'"),
        ("(constant", "')' must come there"),
        ("constant)", "not ')'"),
        ("constant constant", "'*', 'then' or the end must come there, not 'constant'"),
        ("constant * cosin:steps=3", "did you mean cosine"),
        ("constant * cosine:step=3", "did you mean steps"),
        ("(" * 30 + "constant" + ")" * 30, "nested brackets"),
        ("plateau then constant at 9", "follows a whole trial"),
        ("plateau:by=1", "never lowers the rate"),
        (
            "triangular:half=3,momentum=0.9/0.8 * one-cycle:steps=20,momentum=0.9/0.8",
            "two parts cycle the momentum",
        ),
        ("triangular:half=3,momentum=0.9", "two numbers"),
        ("triangular:half=3,momentum=1/0.9", "below 1"),
        ("one-cycle:steps=20,phases=2,pct_final=0.9", "three phases"),
        ("one-cycle:steps=20,pct_start=0.3,pct_final=0.2", "pct_final between pct_start and 1"),
        ("exponential:rate=2,steps=3", "the ceiling of a growth"),
        ("exponential:rate=2,steps=3,end=0.5", "at least 1, its ceiling"),
        ("exponential:rate=0.5,steps=3,end=2", "at most 1, its floor"),
        ("constant:warmup_from=0.5", "give warmup"),
    ],
)
def test_a_bad_text_is_refused_in_one_sentence(text: str, words: str) -> None:
    """It names the place, and what would be right there."""
    with pytest.raises(StudyError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text("()* thenacosi:=1", max_size=40))
def test_junk_is_refused_or_is_a_schedule(text: str) -> None:
    """Never another exception."""
    try:
        assert str(parse(str(parse(text)))) == str(parse(text))
    except StudyError as error:
        assert str(error)  # noqa: PT017 (a refusal is one of two good ends)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_a_cycle_may_fall_in_another_time_than_it_rises(up: int, down: int, base: float) -> None:
    """Straight from the floor to the peak, and straight back."""
    found = factors(f"triangular:half={up},down={down},base={base!r}", 2 * (up + down) + 1)
    one = np.interp(np.arange(up + down), [0, up, up + down], [base, 1, base])
    assert found == pytest.approx([*one, *one, base], abs=1e-12)


@pytest.mark.parametrize(
    "text",
    ["triangular:half=6,down=3", "triangular2:half=5,warmup=4", "one-cycle:steps=40,kind=fastai"],
)
def test_momentum_is_lowest_where_the_rate_is_highest(text: str) -> None:
    """Between its two values, against the rate; without them an optimizer keeps its own."""
    cycled = parse(f"{text},momentum=0.95/0.8")
    found = momenta(cycled, 2, 0, 40)
    assert found is not None
    assert found.shape == (40, 2)
    assert (found[:, 0] == found[:, 1]).all()
    assert factors(cycled, 40).tolist() == factors(text, 40).tolist()
    rates = factors(cycled, 40)
    assert found[np.argmax(rates), 0] == pytest.approx(0.8)
    assert found.max() <= 0.95 + 1e-12
    assert momenta(parse(text), 2, 0, 40) is None


def test_a_part_without_momentum_leaves_the_optimizer_its_own() -> None:
    """NaN stands for it; a product has the momentum of the part that sets it."""
    joined = momenta(parse("constant then one-cycle:steps=20,momentum=0.9/0.7 at 3"), 1, 0, 5)
    assert joined is not None
    assert np.isnan(joined[:3]).all()
    assert joined[3, 0] == pytest.approx(0.9)
    product = momenta(parse("cosine:steps=9 * one-cycle:steps=20,momentum=0.9/0.7"), 1, 9, 1)
    assert product == pytest.approx(np.array([[0.7]]))


def test_growth_ends_at_its_ceiling_and_a_decay_at_its_floor() -> None:
    """Also where the power itself is too large for any number."""
    assert factors("exponential:rate=2,steps=1,end=5", [0, 1, 2, 3, 10**9]).tolist() == (
        pytest.approx([1, 2, 4, 5, 5])
    )
    assert factors("exponential:rate=0.5,steps=1,end=0.2", [0, 2, 3, 10**9]).tolist() == (
        pytest.approx([1, 0.25, 0.2, 0.2])
    )


def test_a_warm_up_may_begin_anywhere() -> None:
    """Below the first value or above it."""
    assert factors("constant:warmup=4,warmup_from=0.2", 6) == pytest.approx(
        [0.2, 0.4, 0.6, 0.8, 1, 1]
    )
    assert factors("constant:warmup=2,warmup_from=9", 4) == pytest.approx([9, 5, 1, 1])
