"""Schedules against closed forms and the published formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.spec.schedules.base import Shape
from study.spec.schedules.cyclic import WINDOWS, Triangular
from study.spec.schedules.decay import CosineRestarts
from study.spec.schedules.parse import CONSTANT, parse, rates
from support.schedules import EACH, every, factors, named, shares

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
def test_bounds(shape: Shape) -> None:
    """Between 0 and the given rate, whatever is asked for below it."""
    found = factors(shape, 700)
    assert found.shape == (700,)
    assert (found >= -1e-12).all()
    assert (found <= 1 + 1e-12).all()


@given(every)
def test_what_does_not_rise_never_does(shape: Shape) -> None:
    """A proof may rest on it."""
    if not shape.rises:
        assert (np.diff(factors(shape, 700)) <= 1e-15).all()


@pytest.mark.parametrize("text", EACH)
def test_what_rises_does(text: str) -> None:
    """Cycles, restarts, one-cycle and ramps; the others only with a warm-up."""
    falls = (
        named(text).name in ("constant", "exponential", "inverse-time", "piecewise", "cosine")
        or text == "polynomial:steps=30,end=0.01,power=2"
    )
    for shape in (named(text), replace(named(text), warmup=5)):
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
def test_a_warm_up_joins_its_schedule(shape: Shape, steps: int) -> None:
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
