"""Schedules against closed forms, Keras's own objects and the published formulas; in a race, in
Keras, on the command line.
"""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.optimizers import schedules as of_keras

import study
from study import figures, tables
from study.engines.rules import RULES, mixed
from study.errors import StudyError
from study.machine.here import this_site
from study.search.keras.schedule import ScheduledRate
from study.spec.schedules.base import Schedule
from study.spec.schedules.cyclic import WINDOWS, Triangular
from study.spec.schedules.decay import CosineRestarts
from study.spec.schedules.parse import CONSTANT, SCHEDULES, parse, rates
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS
from study.storage.records import Outcome, Run
from study.training.group import Context, train
from study.training.loop import train_lanes
from study.training.stopwatch import Stopwatch
from study.validation import flag, number
from support.command import call_process as call
from support.made import made
from support.parabola import DEAD_ABOVE, Parabola, ParabolaEngine
from support.paths import ROOT

RATE = 0.1

EACH = (
    "constant",
    "exponential:rate=0.96,steps=7",
    "exponential:rate=0.96,steps=7,staircase=true",
    "inverse-time:rate=2,steps=10",
    "inverse-time:rate=0.5,steps=10,staircase=true",
    "piecewise:boundaries=2/4,factors=1/0.5/0.1",
    "polynomial:steps=30,end=0.01,power=2",
    "polynomial:steps=30,power=0.5,cycle=true",
    "cosine:steps=30,alpha=0.1",
    "cosine-restarts:steps=10,m_mul=0.8,alpha=0.01",
    "cosine-restarts:steps=10,t_mul=1",
    "triangular:half=9",
    "triangular:half=9,base=0,window=hann",
    "triangular2:half=9,window=welch",
    "exp-range:half=9,gamma=0.99",
    "one-cycle:steps=100",
    "one-cycle:steps=100,kind=fastai",
    "linear-ramp:low=0.1,steps=20",
    "geometric-ramp:low=0.001,steps=20",
)
"""One of each, and of each option."""


def factors(shape: str | Schedule, steps: Any) -> Any:
    """The factors at these steps, or at so many from 0."""
    return parse(shape).factor(
        np.arange(steps) if isinstance(steps, int) else np.asarray(steps), np
    )


counts = st.integers(1, 60)
shares = st.floats(0, 1)
positive = st.floats(0.001, 50)
below_one = st.floats(0.01, 1)
arguments: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "constant": {},
    "exponential": {"rate": below_one, "steps": counts, "staircase": st.booleans()},
    "inverse-time": {"rate": positive, "steps": counts, "staircase": st.booleans()},
    "polynomial": {"steps": counts, "end": shares, "power": positive, "cycle": st.booleans()},
    "cosine": {"steps": counts, "alpha": shares},
    "cosine-restarts": {
        "steps": counts,
        "t_mul": st.integers(1, 5),
        "m_mul": below_one,
        "alpha": shares,
    },
    "triangular": {"half": counts, "base": shares, "window": st.sampled_from(list(WINDOWS))},
    "triangular2": {"half": counts, "base": shares, "window": st.sampled_from(list(WINDOWS))},
    "exp-range": {
        "half": counts,
        "base": shares,
        "window": st.sampled_from(list(WINDOWS)),
        "gamma": below_one,
    },
    "one-cycle": {
        "steps": st.integers(10, 200),
        "kind": st.sampled_from(["smith", "fastai"]),
        "div": st.one_of(st.just(0), st.floats(1.5, 100)),
        "pct_start": st.one_of(st.just(0), st.floats(0.1, 0.4)),
    },
    "linear-ramp": {"low": shares, "steps": counts},
    "geometric-ramp": {"low": below_one, "steps": counts},
}
warmups = st.one_of(st.just(0), st.integers(1, 40))
pieces = st.lists(st.integers(0, 300), min_size=1, max_size=4, unique=True).flatmap(
    lambda steps: st.builds(
        SCHEDULES["piecewise"],
        boundaries=st.just(sorted(steps)),
        factors=st.lists(below_one, min_size=len(steps) + 1, max_size=len(steps) + 1),
        warmup=warmups,
    )
)
every: st.SearchStrategy[Schedule] = st.one_of(
    pieces, *(st.builds(SCHEDULES[name], warmup=warmups, **of) for name, of in arguments.items())
)


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


# Shapes


def test_closed_forms() -> None:
    """By hand, at steps where they are plain."""
    assert factors("constant", 5).tolist() == [1] * 5
    assert factors("exponential:rate=0.5,steps=10", [0, 10, 15, 30]) == pytest.approx(
        [1, 0.5, 0.5**1.5, 0.125]
    )
    assert factors(
        "exponential:rate=0.5,steps=10,staircase=true", [0, 9, 10, 19, 20]
    ) == pytest.approx([1, 1, 0.5, 0.5, 0.25])
    assert factors("inverse-time:rate=2,steps=10", [0, 5, 10]) == pytest.approx([1, 1 / 2, 1 / 3])
    assert factors("inverse-time:rate=2,steps=10,staircase=true", [9, 10, 19]) == pytest.approx(
        [1, 1 / 3, 1 / 3]
    )
    assert factors("piecewise:boundaries=2/4,factors=1/0.5/0.1", 7).tolist() == [
        1,
        1,
        1,
        0.5,
        0.5,
        0.1,
        0.1,
    ]
    assert factors("polynomial:steps=10,end=0.2,power=2", [0, 5, 10, 11]) == pytest.approx(
        [1, 0.4, 0.2, 0.2]
    )
    assert factors("polynomial:steps=4,cycle=true", [0, 2, 4, 5, 8, 9]) == pytest.approx(
        [1, 0.5, 0, 1 - 5 / 8, 0, 0.25]
    )
    assert factors("cosine:steps=10,alpha=0.2", [0, 5, 10, 99]) == pytest.approx([1, 0.6, 0.2, 0.2])
    assert factors(
        "cosine-restarts:steps=10,m_mul=0.5", [0, 5, 10, 20, 30, 50, 70]
    ) == pytest.approx([1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125])
    assert factors("linear-ramp:low=0.2,steps=4", 7) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1])
    assert factors("geometric-ramp:low=0.01,steps=2", 4) == pytest.approx([0.01, 0.1, 1, 1])
    assert factors("constant:warmup=4", 6).tolist() == [0, 0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("triangular", "triangular"),
        ("triangular2", "triangular2"),
        ("exp_range", "exp-range:gamma=0.998"),
    ],
)
def test_cycles_are_those_of_the_published_code(mode: str, name: str) -> None:
    """CLR's formula, base 0.001 and peak 0.006, at every step of five cycles."""
    half, base, peak, gamma = 40, 0.001, 0.006, 0.998
    kind, _, rest = name.partition(":")
    mine = rates(parse(f"{kind}:half={half}{',' + rest if rest else ''}"), [peak], 0, 10 * half)[
        :, 0
    ]
    for t, rate in enumerate(mine):
        cycle = math.floor(1 + t / (2 * half))
        x = abs(t / half - 2 * cycle + 1)
        scale = {"triangular": 1.0, "triangular2": 1 / 2 ** (cycle - 1), "exp_range": gamma**t}[
            mode
        ]
        assert rate == pytest.approx(base + (peak - base) * max(0, 1 - x) * scale, rel=1e-12)


@pytest.mark.parametrize("window", list(WINDOWS))
@given(half=st.integers(1, 60), base=shares)
def test_a_cycle_goes_from_its_floor_to_its_peak_and_back(
    window: str, half: int, base: float
) -> None:
    """Each window is 0 at both ends, 1 in the middle, the same on both sides, and repeats."""
    cycle = factors(Triangular(half=half, base=base, window=window), 4 * half + 1)
    assert cycle[[0, 2 * half, 4 * half]] == pytest.approx([base] * 3, abs=1e-12)
    assert cycle[[half, 3 * half]] == pytest.approx([1, 1])
    assert cycle[: 2 * half + 1] == pytest.approx(cycle[2 * half :: -1])
    assert cycle[: 2 * half] == pytest.approx(cycle[2 * half : 4 * half])
    assert (np.diff(cycle[: half + 1]) >= 0).all()


def test_windows_of_a_quarter() -> None:
    """Half-way up: Welch's parabola is at 3/4, Hann's squared sine at 1/2 but level at the end."""
    quarter = {
        window: factors(Triangular(half=2, base=0, window=window), 2)[1] for window in WINDOWS
    }
    assert quarter == pytest.approx({"triangular": 0.5, "welch": 0.75, "hann": 0.5})
    assert factors("triangular:half=100,base=0,window=hann", [1])[0] < 0.001


@pytest.mark.parametrize(
    "text",
    [
        "cosine-restarts:steps=7",
        "cosine-restarts:steps=7,t_mul=1",
        "triangular:half=7",
        "triangular:half=7,window=welch",
    ],
)
def test_a_place_in_a_cycle_is_exact_at_any_step(text: str) -> None:
    """Ten million million steps on, where a quotient in floating point would have lost it."""
    shape = parse(text)
    if isinstance(shape, CosineRestarts) and shape.t_mul == 2:
        start = 7 * (2**40 - 1)
        assert factors(shape, [start - 1, start, start + 7 * 2**39])[1:] == pytest.approx([1, 0.5])
        assert factors(shape, [start - 1])[0] < 1e-20
    else:
        assert factors(shape, 14 * 10**12 + np.arange(14)).tolist() == factors(shape, 14).tolist()


def test_one_cycle_at_the_ends_of_its_phases() -> None:
    """fastai's constants: 1/25 up to 1 in a quarter, down to 1e-5, half-cosines; Smith's form: up,
    as long down, and below.
    """
    fastai = factors("one-cycle:steps=400,kind=fastai", [0, 50, 100, 250, 400, 1000])
    assert fastai == pytest.approx([0.04, 0.52, 1, (1 + 1e-5) / 2, 1e-5, 1e-5])
    smith = factors("one-cycle:steps=100", [0, 45, 90, 95, 100, 1000])
    assert smith == pytest.approx([0.1, 1, 0.1, (0.1 + 1e-4) / 2, 1e-4, 1e-4])
    up, down = (
        factors("one-cycle:steps=100", 46),
        factors("one-cycle:steps=100", np.arange(90, 44, -1)),
    )
    assert up == pytest.approx(down)
    other = factors(
        "one-cycle:steps=100,kind=fastai,div=10,div_final=100,pct_start=0.5", [0, 50, 100]
    )
    assert other == pytest.approx([0.1, 1, 0.01])


def test_one_cycle_is_that_of_fastai() -> None:
    """Its schedule, start + (1 + cos(pi (1 - x))) (end - start) / 2 over the share of the whole, at
    every step.
    """
    steps, share_up = 400, 0.25

    def eased(start: float, end: float, x: float) -> float:
        return start + (1 + math.cos(math.pi * (1 - x))) * (end - start) / 2

    expected = [
        eased(1 / 25, 1, t / steps / share_up)
        if t < share_up * steps
        else eased(1, 1e-5, (t / steps - share_up) / (1 - share_up))
        for t in range(steps)
    ]
    assert factors("one-cycle:steps=400,kind=fastai", steps) == pytest.approx(expected, rel=1e-9)


@given(every)
def test_bounds(shape: Schedule) -> None:
    """Between 0 and the given rate, whatever is asked for below it."""
    found = factors(shape, 700)
    assert found.shape == (700,)
    assert (found >= -1e-12).all()
    assert (found <= 1 + 1e-12).all()


@given(every)
def test_what_does_not_rise_never_does(shape: Schedule) -> None:
    """A proof may rest on it."""
    if not shape.rises:
        assert (np.diff(factors(shape, 700)) <= 1e-15).all()


@pytest.mark.parametrize("text", EACH)
def test_what_rises_does(text: str) -> None:
    """Cycles, restarts, one-cycle and ramps; the others only with a warm-up."""
    falls = (
        parse(text).name in ("constant", "exponential", "inverse-time", "piecewise", "cosine")
        or text == "polynomial:steps=30,end=0.01,power=2"
    )
    for shape in (parse(text), replace(parse(text), warmup=5)):
        assert (
            shape.rises
            == (not falls or shape.warmup > 0)
            == (np.diff(factors(shape, 200)).max() > 1e-9)
        )


def test_pieces_may_rise() -> None:
    """Then they do."""
    assert parse("piecewise:boundaries=5,factors=0.1/1").rises
    assert not parse("piecewise:boundaries=5,factors=1/1").rises


@given(every, st.integers(1, 50))
def test_a_warm_up_joins_its_schedule(shape: Schedule, steps: int) -> None:
    """Linear from 0 to the first value, and then the same schedule, so many steps later."""
    plain, warm = replace(shape, warmup=0), replace(shape, warmup=steps)
    first = factors(plain, 1)[0]
    assert factors(warm, steps + 1) == pytest.approx(first * np.arange(steps + 1) / steps)
    assert factors(warm, steps + 300)[steps:].tolist() == factors(plain, 300).tolist()


@pytest.mark.parametrize(
    "text",
    [
        text
        for text in EACH
        if not text.startswith(("piecewise", "cosine-restarts")) and "staircase" not in text
    ],
)
def test_shapes_without_jumps_have_none(text: str) -> None:
    """A hundred times as many steps make every change a hundredth; cycled polynomials jump back up
    by design.
    """
    slow = ",".join(
        f"{key}={100 * int(value)}"
        if key in ("steps", "half")
        else f"gamma={float(value) ** 0.01!r}"
        if key == "gamma"
        else part
        for part in text.partition(":")[2].split(",")
        for key, _, value in [part.partition("=")]
    )
    name = text.partition(":")[0]
    found = np.diff(factors(f"{name}:{slow}" if slow else name, 20_000))
    steep = found if "cycle=true" not in text else found[found < 0]
    assert np.abs(steep).max(initial=0) < (0.05 if "power=0.5" in text else 0.01)


def test_rates_of_lanes() -> None:
    """(T, K): any piece of the whole is the same."""
    shape = parse("triangular2:half=7,warmup=3")
    whole = rates(shape, [0.1, 2.0], 0, 60)
    assert whole.dtype == np.float64
    assert whole.shape == (60, 2)
    assert whole[:, 1] == pytest.approx(20 * whole[:, 0])
    assert np.array_equal(whole[20:45], rates(shape, [0.1, 2.0], 20, 25))
    assert np.array_equal(rates(CONSTANT, [0.1, 1e-9], 5, 3), np.tile([0.1, 1e-9], (3, 1)))


# Keras


@pytest.mark.parametrize("warmup", [0, 13])
@pytest.mark.parametrize("text", EACH)
def test_keras_gets_the_same_rates(text: str, warmup: int) -> None:
    """Ours and what is handed to Keras, its own objects among them, to single precision, at whole
    arrays and at single steps.
    """
    shape = replace(parse(text), warmup=warmup)
    expected = RATE * factors(shape, 150)
    ours = ScheduledRate(shape, RATE)
    assert keras.ops.convert_to_numpy(ours(np.arange(150))) == pytest.approx(
        expected, abs=2e-7 * RATE, rel=2e-6
    )
    given_ = study.schedule(shape, RATE)
    steps = range(0, 150, 7)
    assert [float(given_(step)) for step in steps] == pytest.approx(
        expected[::7], abs=2e-6 * RATE, rel=1e-5
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("exponential:rate=0.96,steps=7,staircase=true", of_keras.ExponentialDecay),
        ("inverse-time:rate=2,steps=10", of_keras.InverseTimeDecay),
        ("piecewise:boundaries=2/4,factors=1/0.5/0.1", of_keras.PiecewiseConstantDecay),
        ("polynomial:steps=30,power=2", of_keras.PolynomialDecay),
        ("cosine:steps=30", of_keras.CosineDecay),
        ("cosine:steps=30,warmup=5", of_keras.CosineDecay),
        ("cosine-restarts:steps=10", of_keras.CosineDecayRestarts),
        ("cosine-restarts:steps=10,warmup=5", ScheduledRate),
        ("constant", ScheduledRate),
        ("triangular:half=5", ScheduledRate),
    ],
)
def test_keras_gets_its_own_object_where_it_has_one(text: str, kind: type) -> None:
    """Ours otherwise; either is a schedule that can be written down and made again."""
    first: Any = study.schedule(text, RATE)
    again: Any = of_keras.deserialize(of_keras.serialize(first))
    assert [type(first), type(again)] == [kind, kind]
    assert again.get_config() == first.get_config()


@pytest.mark.parametrize("rate", [0, -1, "fast", math.nan])
def test_a_bad_rate_or_text_is_refused(rate: Any) -> None:
    """As everywhere."""
    with pytest.raises(StudyError, match="learning rate"):
        study.schedule("constant", rate)
    with pytest.raises(StudyError, match="did you mean cosine"):
        study.schedule("cosin", RATE)


@pytest.mark.parametrize("text", EACH)
def test_a_keras_optimizer_follows_the_schedule(text: str) -> None:
    """Plain gradient descent on a parabola, w <- w (1 - rate_t), from Keras's own step counter."""
    w = keras.Variable(1.0)
    optimizer = keras.optimizers.SGD(ScheduledRate(text, RATE))
    optimizer.build([w])
    for _ in range(12):
        optimizer.apply([w.value], [w])
    assert float(w) == pytest.approx(np.prod(1 - RATE * factors(text, 12)), rel=1e-5)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # Keras's own, in saving
def test_a_model_fits_is_saved_and_goes_on(tmp_path: Path) -> None:
    """Inside the compiled step; another process loads it and goes on at the right rates."""
    text = "triangular2:half=2,window=hann,warmup=3"
    start = keras.initializers.Constant(1.0)
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer=start)]
    )
    model.compile(keras.optimizers.SGD(study.schedule(text, RATE)), loss="mse")
    x, y = np.ones((8, 1), np.float32), np.zeros((8, 1), np.float32)
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0)
    moved = np.cumprod(1 - 2 * RATE * factors(text, 16))  # the error is w^2, its gradient 2 w
    assert float(model.get_weights()[0][0, 0]) == pytest.approx(moved[7], rel=1e-5)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, numpy as np, keras, study.search.keras.schedule\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "model.fit(np.ones((8, 1)), np.zeros((8, 1)), batch_size=1, verbose=0)\n"
        "print(float(model.get_weights()[0][0, 0]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.keras"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout) == pytest.approx(moved[15], rel=1e-5)


# Studies


@pytest.mark.parametrize(
    "text",
    [
        "cosine:steps=120,alpha=0.1",
        "triangular2:half=20",
        "exponential:rate=0.5,steps=60,warmup=25",
    ],
)
def test_a_race_follows_the_schedule(text: str) -> None:
    """On parabolas every check's loss is c w^2 / 2, with w the product of (1 - rate_t c)."""
    lanes, curvatures = [0.05, 0.3], [1.0, 0.5]
    ends = train_lanes(
        Parabola(curvatures),
        lanes,
        target=math.inf,
        check_every=10,
        max_steps=200,
        schedule=parse(text),
    )
    for finish in ends:
        rate, c = lanes[finish.lane], curvatures[finish.lane]
        w = np.concatenate([[1.0], np.cumprod(1 - c * rate * factors(text, 199))])
        assert finish.losses == pytest.approx((c * w**2 / 2).reshape(20, 10).mean(axis=1))
        assert finish.accuracies == pytest.approx((1 - w).reshape(20, 10).mean(axis=1), abs=1e-6)


def test_lanes_that_leave_do_not_shift_the_schedule() -> None:
    """An array that shrinks goes on at the steps where it is."""
    text = "triangular:half=40"
    together = {finish.lane: finish for finish in _ends([0.3, 0.05, 0.02], text)}
    for lane, rate in enumerate([0.3, 0.05, 0.02]):
        (alone,) = _ends([rate], text)
        assert (alone.steps, alone.accuracies) == (together[lane].steps, together[lane].accuracies)
    assert len({finish.steps for finish in together.values()}) == 3


def _ends(lanes: list[float], text: str) -> list[Any]:
    return list(
        train_lanes(
            Parabola([1.0] * max(len(lanes), 4 if len(lanes) > 2 else 1)),
            lanes,
            target=0.97,
            max_steps=5000,
            schedule=parse(text),
        )
    )


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("cosine:steps=100,alpha=0.5", Outcome.STUCK), ("triangular:half=100", Outcome.CAPPED)],
)
def test_a_lane_is_not_called_stuck_where_the_rate_rises_again(text: str, outcome: Outcome) -> None:
    """The proof is of a rate that does not."""
    (finish,) = train_lanes(
        Parabola([1.0]), [10 * DEAD_ABOVE], target=0.97, max_steps=1000, schedule=parse(text)
    )
    assert finish.outcome is outcome


@pytest.mark.parametrize("hyper", list(RULES))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_moves_nothing_at_a_rate_moves_nothing_at_smaller_ones(name: str, hyper: str) -> None:
    """The step of the proof of being stuck that decays rest on: every rule at a gradient of zero,
    in single precision.
    """
    update, random = mixed([RULES[hyper][name]]), np.random.default_rng(0)
    w, a, b, zero = (
        np.float32(x)
        for x in (random.normal(size=200), *random.uniform(0.1, 1, (2, 200)), np.zeros(200))
    )
    moved, t, rate = np.ones(200, bool), 10, np.float32(0.1)
    while moved.any():
        before = w
        w, a, b = update(np, None, w, a, b, zero, rate, np.float32(t))
        moved, t = w != before, t + 1
    for _ in range(300):
        rate *= np.float32(random.uniform(0.5, 1))
        before = w
        w, a, b = update(np, None, w, a, b, zero, rate, np.float32(t))
        assert np.array_equal(w, before)
        t += 1


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


def test_a_group_trains_on_its_schedule() -> None:
    """The trial's schedule reaches the race: a warm-up makes the same rate arrive later."""
    arrived = {}
    for text in ("constant", "constant:warmup=400"):
        spec = StudySpec(
            optimizers=("sgd",), rates=(0.05,), cap=None, max_steps=2000, schedule=text
        )
        runs: list[Run] = []

        def emit(run: Run, finish: object, runs: list[Run] = runs) -> None:
            runs.append(run)

        train(
            spec.trials(), [0.01], ParabolaEngine(), Context("s", this_site(), 1), emit, Stopwatch()
        )
        assert runs[0].trial.schedule == text
        arrived[text] = runs[0].steps or 0
    assert (
        arrived["constant:warmup=400"] - arrived["constant"] == 200
    )  # half the rate on average: half of it is lost


def test_two_schedules_share_no_table_and_figures_name_theirs() -> None:
    """Under the title, unless the rate is constant."""
    spec = StudySpec(optimizers=("sgd", "adam"), rates=(0.01, 0.1), cap=10.0)
    shaped, plain = (
        made(spec.with_(schedule=text), lambda trial: 4.0)
        for text in ("triangular:half=100", "constant")
    )
    assert "schedule of the rate: triangular:half=100" in [
        text.get_text() for text in figures.valley(shaped).texts
    ]
    assert not any("schedule" in text.get_text() for text in figures.valley(plain).texts)
    both = pd.concat([shaped, plain], ignore_index=True)
    with pytest.raises(StudyError, match=r"differ in schedule \(triangular:half=100, constant\)"):
        tables.comparable(both)


def test_figures_show_the_rates() -> None:
    """What is drawn is what is trained at; each panel is headed by the text that gives it."""
    panels = [axes for axes in figures.schedules(EACH, 100, "Each").axes if axes.get_visible()]
    assert len(panels) == len(EACH)
    for axes, text in zip(panels, EACH, strict=True):
        assert np.asarray(axes.get_lines()[0].get_ydata()) == pytest.approx(factors(text, 101))
        assert axes.get_title(loc="left") == parse(text).name
    drawn = figures.every_schedule()
    smooth, staircase = (
        np.asarray(line.get_ydata()) for line in drawn["decay-exponential"].axes[0].get_lines()
    )
    assert smooth == pytest.approx(0.1 * 0.96 ** (np.arange(1001) / 100))
    assert staircase == pytest.approx(0.1 * 0.96 ** (np.arange(1001) // 100))
    pieces_ = np.asarray(drawn["decay-piecewise"].axes[0].get_lines()[0].get_ydata())
    assert [pieces_[step] for step in (0, 10_000, 10_001, 12_000, 12_001, 20_000)] == pytest.approx(
        [1, 1, 0.5, 0.5, 0.1, 0.1]
    )
    assert {parse(text).name for text in (*figures.DECAYS, *figures.RISES, "constant")} == set(
        SCHEDULES
    )


def test_the_command_line(tmp_path: Path) -> None:
    """Figures are written and named, a plan says its schedule, a bad one is one sentence and exit
    code 2.
    """
    answer = call("schedules", "--out", tmp_path / "figures")
    assert answer.returncode == 0, answer.stderr
    assert "triangular: half, base=0.167, window=triangular, warmup=0" in answer.stdout
    assert all(f"\n{name}:" in f"\n{answer.stdout}" for name in SCHEDULES)
    paths = [Path(line) for line in answer.stdout.splitlines()[-4:]]
    assert [path.stem for path in paths] == [
        "schedules-decay",
        "schedules-rise",
        "decay-exponential",
        "decay-piecewise",
    ]
    assert all(path.exists() and path.with_suffix(".svg").exists() for path in paths)
    plan = call(
        "plan", "quick", "--schedule", "cosine:alpha=0,steps=2000", "--out", "study", cwd=tmp_path
    )
    assert "\n  schedule cosine:steps=2000\n" in plan.stdout
    bad = call("run", "quick", "--schedule", "cosin", cwd=tmp_path)
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    assert "did you mean cosine" in bad.stderr
