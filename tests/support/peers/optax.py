"""Schedules of Optax: the numbers of optax/schedules/_schedule_test.py."""

from __future__ import annotations

import math

from support.peers.cases import CANNOT, DESIGN, Case, Left


def _cosines(count: int, steps: int, alpha: float = 0.0) -> list[float]:
    shares = [min(i / steps, 1) for i in range(count)]
    return [(1 - alpha) * 0.5 * (1 + math.cos(math.pi * x)) + alpha for x in shares]


def _powers(rate: float, stairs: bool, begin: int, count: int) -> list[float]:
    """rate^(i / 2) after `begin` steps of 1."""
    return [1.0] * begin + [rate ** (i // 2 if stairs else i / 2) for i in range(count)]


def _exponentials() -> list[Case]:
    """Growth and decay, held back for some steps, and with an end."""
    cases = []
    for stairs in (False, True):
        word = "stairs" if stairs else "smooth"
        told = ",staircase=true" if stairs else ""
        for begin in (0, 5):
            shape = f"exponential:rate=2,steps=2,end=1e12{told}"
            text = f"constant then {shape} at {begin}" if begin else shape
            wanted = _powers(2.0, stairs, begin, 15)
            name = f"growth {word} from {begin}"
            cases.append(Case("optax", name, text, 1.0, range(15 + begin), wanted))
        for rate, end in ((0.2, 0.1), (1.0, 0.1), (2.0, 3.0)):
            text = f"constant then exponential:rate={rate},steps=2,end={end}{told} at 3"
            bound = min if rate > 1 else max
            wanted = [bound(x, end) for x in _powers(rate, stairs, 3, 11)]
            cases.append(Case("optax", f"end {rate} {word}", text, 1.0, range(14), wanted))
        text = f"exponential:rate=1,steps=15{told}"
        cases.append(Case("optax", f"rate one {word}", text, 1.0, range(15), [1.0] * 15))
    return cases


_LEVEL = "piecewise:boundaries=1,factors={0}/{0}"
"""A part at another level than 1."""

_EASED = (
    "cosine:steps=3,alpha=0.6 then triangular:half=2,window=hann,base=0.8333333333333334 * "
    f"{_LEVEL.format(0.72)} at 3 then {_LEVEL.format(0.72)} at 5"
)
_SGDR = (
    "cosine:steps=1500,warmup=500 then cosine:steps=2500,warmup=500 * {0} at 2000 "
    "then cosine:steps=4500,warmup=500 * {1} at 5000"
)

CASES: list[Case] = [
    Case("optax", "constant", "constant", 10.0, range(15), [10] * 15),
    Case(
        "optax",
        "polynomial that rises",
        "linear-ramp:low=0.5,steps=10",
        20.0,
        range(15),
        [*range(10, 20), *[20] * 5],
    ),
    Case(
        "optax",
        "polynomial",
        "polynomial:steps=10,power=2,end=0.4",
        25.0,
        range(15),
        [10 + 15 * (1 - n / 10) ** 2 for n in range(10)] + [10] * 5,
    ),
    Case(
        "optax",
        "polynomial that begins at 4",
        "constant then polynomial:steps=10,power=2,end=0.3333333333333333 at 4",
        30.0,
        range(20),
        [30.0] * 4 + [10 + 20 * (1 - n / 10) ** 2 for n in range(10)] + [10.0] * 6,
    ),
    Case(
        "optax",
        "piecewise",
        "piecewise:boundaries=2/5,factors=0.5/1/0.5",
        0.2,
        range(10),
        [0.1] * 3 + [0.2] * 3 + [0.1] * 4,
    ),
    *_exponentials(),
    Case("optax", "halves", "exponential:rate=0.5,steps=1", 32.0, range(5), [32, 16, 8, 4, 2]),
    Case("optax", "cosine", "cosine:steps=10", 0.1, range(10), [x / 10 for x in _cosines(10, 10)]),
    Case("optax", "cosine beyond", "cosine:steps=5", 1.0, range(12), _cosines(12, 5), atol=1e-9),
    Case("optax", "cosine alpha", "cosine:steps=5,alpha=0.1", 1.0, range(12), _cosines(12, 5, 0.1)),
    Case(
        "optax",
        "cosine exponent",
        "cosine:steps=100,power=2",
        0.1,
        [0, 10, 50, 75, 100],
        [0.1, 0.09516553580760956, 0.025, 0.0021446612663567066, 0.0],
        atol=1e-8,
    ),
    Case(
        "optax",
        "warm-up from above, to an end",
        "cosine:steps=900,alpha=2e-4,warmup=100,warmup_from=20",
        0.5,
        [0, 100, 1000],
        [10, 0.5, 1e-4],
    ),
    Case(
        "optax",
        "warm-up from above",
        "cosine:steps=900,warmup=100,warmup_from=1.6666666666666667",
        3.0,
        [0, 100, 1000],
        [5, 3, 0],
        atol=1e-9,
    ),
    Case(
        "optax",
        "warm-up and cosine rise, then fall",
        "cosine:steps=20,alpha=0.1,warmup=5",
        1.0,
        [0, 5, 25],
        [0, 1, 0.1],
    ),
    Case(
        "optax",
        "sgdr with decay",
        _SGDR.format(_LEVEL.format(0.5), _LEVEL.format(0.25)),
        1.6,
        [500, 2500, 5500],
        [1.6, 0.8, 0.4],
    ),
    Case(
        "optax",
        "sgdr",
        _SGDR.format("constant", "constant"),
        1.6,
        [500, 2500, 5500],
        [1.6, 1.6, 1.6],
    ),
    Case(
        "optax",
        "interpolated, linear",
        "linear-ramp:low=0.6666666666666666,steps=5 then polynomial:steps=5,end=0.25 at 5",
        300.0,
        range(13),
        [200, 220, 240, 260, 280, 300, 255, 210, 165, 120, 75, 75, 75],
    ),
    Case(
        "optax",
        "interpolated, cosine",
        _EASED,
        400.0,
        range(9),
        [400, 360, 280, 240, 264, 288, 288, 288, 288],
        atol=1e-4,
    ),
    Case("optax", "interpolated, empty", "constant", 13.0, range(5), [13.0] * 5),
    Case("optax", "interpolated, none", "constant", 17.0, range(3), [17.0] * 3),
    Case(
        "optax",
        "one-cycle, linear",
        "one-cycle:steps=10,pct_start=0.3,pct_final=0.7,div=10,div_final=1000",
        1000.0,
        range(12),
        [100, 400, 700, 1000, 775, 550, 325, 100, 67, 34, 1, 1],
    ),
    Case(
        "optax",
        "one-cycle, linear, as long down as up",
        "one-cycle:steps=10,pct_start=0.3,div=10,div_final=1000",
        1000.0,
        range(12),
        [100, 400, 700, 1000, 700, 400, 100, 75.25, 50.5, 25.75, 1, 1],
    ),
    Case(
        "optax",
        "one-cycle, cosine",
        "one-cycle:steps=5,kind=fastai,pct_start=0.4,div=10,div_final=1000",
        1000.0,
        range(7),
        [100, 550, 1000, 750.25, 250.75, 1, 1],
    ),
    Case(
        "optax",
        "joined",
        "constant then exponential:rate=0.5,steps=1 at 3",
        1.0,
        range(6),
        [1, 1, 1, 1, 0.5, 0.25],
    ),
]

LEFT = [
    Left("optax", "polynomial of no steps", DESIGN, "refused here, constant there"),
    Left("optax", "piecewise of a negative rate", DESIGN, "a rate is above 0"),
    Left("optax", "exponential of rate 0", DESIGN, "refused here, constant there"),
    Left("optax", "exponential of rate 0, stairs", DESIGN, "refused here, constant there"),
    Left("optax", "exponential of no steps", DESIGN, "refused here, constant there"),
    Left("optax", "exponential of no steps, stairs", DESIGN, "refused here, constant there"),
    Left("optax", "warm-up to a peak of 0", DESIGN, "a rate is above 0"),
    Left("optax", "one-cycle of no steps", DESIGN, "refused here and there"),
    Left("optax", "warm-up and cosine to -3", CANNOT, "a rate below 0"),
    Left("optax", "cosine of 1e10 steps", CANNOT, "more steps than a shape may have"),
    Left("optax", "interpolated, an interval of no steps", CANNOT, "a shape has a step"),
]
