"""A schedule's text: what is accepted, what is refused, and what a study stores of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.spec.schedules.base import Schedule
from study.spec.schedules.parse import SCHEDULES, parse
from study.spec.study import StudySpec
from study.validation import flag, number
from support.schedules import every

# Text


@given(every)
def test_a_schedule_is_its_text(shape: Schedule) -> None:
    """What is written is what is read, and there is one text for it."""
    assert parse(str(shape)) == shape
    assert str(parse(str(shape))) == str(shape)
    assert parse(shape) is shape


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("constant", "constant"),
        ("constant:warmup=0", "constant"),
        ("exponential:steps=100,rate=.96", "exponential:rate=0.96,steps=100"),
        ("exponential:rate=0.96,steps=100,staircase=false", "exponential:rate=0.96,steps=100"),
        (
            "piecewise:factors=1.0/1e-1/1e-2,boundaries=1000/2000",
            "piecewise:boundaries=1000/2000,factors=1/0.1/0.01",
        ),
        (
            "cosine:warmup=500,steps=2000,alpha=0.30000000000000004",
            "cosine:steps=2000,alpha=0.30000000000000004,warmup=500",
        ),
        ("triangular:half=5,base=0.16666666666666666,window=triangular", "triangular:half=5"),
        ("triangular:half=5,base=-0.0", "triangular:half=5,base=0"),
        (
            "one-cycle:steps=100,kind=fastai,div=25,pct_start=0.25",
            "one-cycle:steps=100,kind=fastai",
        ),
        ("one-cycle:steps=100,div=25", "one-cycle:steps=100,div=25"),
    ],
)
def test_equal_schedules_have_equal_text(written: str, text: str) -> None:
    """Arguments in one order, none that is as usual, numbers as short as they can be."""
    assert str(parse(written)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cosin", "unknown schedule 'cosin' (did you mean cosine?)"),
        ("", "unknown schedule ''"),
        (None, "unknown schedule"),
        ("cosine", "steps must be given, as in cosine:steps=..."),
        ("exponential", "rate and steps must be given"),
        ("cosine:", "'' must read key=value"),
        ("cosine:steps", "'steps' must read key=value"),
        ("cosine:step=3", "unknown key 'step' (did you mean steps?)"),
        ("cosine:steps=3,steps=4", "steps comes twice"),
        ("cosine:steps=0", "steps '0'"),
        ("cosine:steps=many", "'many'"),
        ("cosine:steps=5,alpha=2", "alpha '2' must be a number from 0 to 1"),
        ("cosine:steps=5,warmup=-1", "warmup '-1'"),
        ("exponential:rate=1.5,steps=3", "rate 1.5 must be above 0, at most 1"),
        ("exponential:rate=nan,steps=3", "nan"),
        ("exponential:rate=0.5,steps=2,staircase=yes", "staircase 'yes' must be true or false"),
        ("piecewise:boundaries=3/2,factors=1/2/3", "boundaries 3/2 must rise"),
        (
            "piecewise:boundaries=2/3,factors=1/2",
            "factors 1/2 must be 3, one more than the boundaries 2/3",
        ),
        ("piecewise:boundaries=,factors=1", "boundaries ''"),
        ("triangular:half=5,window=hamming", "unknown window 'hamming'"),
        ("exp-range:half=5", "gamma must be given"),
        ("one-cycle:steps=20,kind=fast", "did you mean fastai"),
        ("one-cycle:steps=2", "take more steps"),
        ("one-cycle:steps=20,pct_start=0.5", "or a pct_start below 0.5"),
        ("one-cycle:steps=20,div=1", "div 1 must be above 1"),
    ],
)
def test_a_bad_text_is_refused_in_one_sentence(text: object, words: str) -> None:
    """It names the value and what would be right."""
    with pytest.raises(StudyError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.text(max_size=30)
    | st.sampled_from(list(SCHEDULES)).flatmap(
        lambda name: st.text("stepalhf=,/.:-01e", max_size=20).map((name + ":").__add__)
    )
)
def test_junk_is_refused_or_is_a_schedule(text: str) -> None:
    """Never another exception."""
    try:
        assert parse(str(parse(text))) == parse(text)
    except StudyError as error:
        assert "\n" not in str(error).replace(text, "")  # noqa: PT017 (a refusal is one of two good ends)


def test_shares_and_flags() -> None:
    """What a user may give for them."""
    assert [number("x", value, 0, 1, inclusive=True) for value in (0, 1, "0.5", -0.0)] == [
        0,
        1,
        0.5,
        0,
    ]
    assert [flag("x", value) for value in (True, False, "true", "false")] == [
        True,
        False,
        True,
        False,
    ]
    for value in (-0.1, 1.1, math.nan, True, "x", None):
        with pytest.raises(StudyError, match="must be a number from 0 to 1"):
            number("x", value, 0, 1, inclusive=True)
    for word in (0, 1, "True", None):
        with pytest.raises(StudyError, match="must be true or false"):
            flag("x", word)


def test_a_study_stores_its_schedule_and_old_identities_stay() -> None:
    """The canonical text; a constant rate is what every trial had before, and its id with it."""
    spec = StudySpec(
        optimizers=("sgd",),
        rates=(0.1,),
        cap=None,
        max_steps=100,
        schedule="cosine:alpha=0,steps=20",
    )
    assert spec.schedule == "cosine:steps=20"
    (trial,), (plain,) = spec.trials(), spec.with_(schedule="constant").trials()
    assert trial.schedule == "cosine:steps=20"
    assert trial.id != plain.id
    assert (
        plain.id
        == StudySpec(optimizers=("sgd",), rates=(0.1,), cap=None, max_steps=100).trials()[0].id
    )
    assert (
        StudySpec(
            name="one",
            optimizers=("adam",),
            rates=(0.01,),
            max_steps=500,
            schedule="constant:warmup=0",
        )
        .trials()[0]
        .id
        == "9dac4265501dc0a7"
    )
    assert spec.differences(spec.with_(schedule="constant")) == ["schedule"]
